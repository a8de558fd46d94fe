// Step store: the narrow door to S3 and its five operations (SPEC S12, L3, L4, R1). Who
// speaks to S3 is a setting; the door repeats what fails, whoever it is. An attempt of a
// Get ends when the body has been read to the end. Holds the bodies of the requests in flight.

package aggregator

import (
	"context"
	"errors"
	"io"

	"github.com/aws/smithy-go"
)

// Object is a key and the size that the listing gives, in bytes.
type Object struct {
	Key  string
	Size int64
}

// Page is one answer of a listing. Next is empty on the last one.
type Page struct {
	Objects  []Object
	Prefixes []string
	Next     string
}

// Store is what the steps need of S3. Its errors are S3_ERROR, the cause of an ended
// context, or the faults Missing and TooLarge of Get.
type Store interface {
	// ListPage lists a page; delimiter and token may be empty.
	ListPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error)
	// Get gives the body as stored, of at most limit bytes.
	Get(ctx context.Context, bucket, key string, limit int) ([]byte, error)
	Put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error
	Copy(ctx context.Context, bucket, from, to string) error
	Delete(ctx context.Context, bucket, key string) error
}

// client makes one attempt of each operation, in a file of its own for each S3_CLIENT. An
// answer that refuses is an *awshttp.ResponseError around a smithy.APIError.
type client interface {
	listPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error)
	get(ctx context.Context, bucket, key string, limit int) ([]byte, error)
	put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error
	copy(ctx context.Context, bucket, from, to string) error
	delete(ctx context.Context, bucket, key string) error
}

// newClient makes the client that the settings name, and no other. It sends nothing.
func newClient(config Config, sender sender) client {
	if config.S3Client == clientLight {
		return newLightStore(config, sender)
	}
	return newSDKStore(config, sender)
}

// s3Store is the door of one invocation; the client behind it lives as long as the sandbox.
type s3Store struct {
	client   client
	attempts *attempts
}

func newS3Store(client client, concurrency int, journal *Journal) *s3Store {
	return &s3Store{client, newAttempts(concurrency, journal)}
}

func (s *s3Store) ListPage(ctx context.Context, bucket, prefix, delimiter, token string) (page Page, err error) {
	err = s.attempts.request(ctx, "list", prefix, func() (err error) {
		page, err = s.client.listPage(ctx, bucket, prefix, delimiter, token)
		return err
	})
	return page, err
}

func (s *s3Store) Get(ctx context.Context, bucket, key string, limit int) (body []byte, err error) {
	err = s.attempts.request(ctx, "get", key, func() (err error) {
		body, err = s.client.get(ctx, bucket, key, limit)
		if refusal, ok := errors.AsType[smithy.APIError](err); ok && refusal.ErrorCode() == "NoSuchKey" {
			return Missing
		}
		return err
	})
	return body, err
}

func (s *s3Store) Put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error {
	return s.attempts.request(ctx, "put", key, func() error {
		return s.client.put(ctx, bucket, key, io.NewSectionReader(body, 0, body.Size()), contentType) // from its start
	})
}

func (s *s3Store) Copy(ctx context.Context, bucket, from, to string) error {
	return s.attempts.request(ctx, "copy", to, func() error { return s.client.copy(ctx, bucket, from, to) })
}

func (s *s3Store) Delete(ctx context.Context, bucket, key string) error {
	return s.attempts.request(ctx, "delete", key, func() error { return s.client.delete(ctx, bucket, key) })
}
