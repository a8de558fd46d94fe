// Step store: the narrow door to S3 and its five operations (SPEC L3, L4, R1). An attempt
// of a Get ends when the body has been read to the end. Holds the bodies of the requests
// in flight.

package aggregator

import (
	"bytes"
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/encoding/httpbinding"
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
	Put(ctx context.Context, bucket, key string, body []byte, contentType string) error
	Copy(ctx context.Context, bucket, from, to string) error
	Delete(ctx context.Context, bucket, key string) error
}

// s3Store is the door of one invocation; the client behind it lives as long as the sandbox.
type s3Store struct {
	client   *s3.Client
	attempts *attempts
}

func newS3Store(client *s3.Client, concurrency int, journal *Journal) *s3Store {
	return &s3Store{client, newAttempts(concurrency, journal)}
}

func (s *s3Store) ListPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error) {
	input := &s3.ListObjectsV2Input{
		Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl,
		Delimiter: optional(delimiter), ContinuationToken: optional(token),
	}
	var page Page
	err := s.attempts.request(ctx, "list", prefix, func() error {
		output, err := s.client.ListObjectsV2(ctx, input)
		if err == nil {
			page, err = decodePage(output)
		}
		return err
	})
	return page, err
}

func (s *s3Store) Get(ctx context.Context, bucket, key string, limit int) ([]byte, error) {
	var body []byte
	err := s.attempts.request(ctx, "get", key, func() error {
		output, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if _, absent := errors.AsType[*types.NoSuchKey](err); absent {
			return Missing
		} else if err != nil {
			return err
		}
		defer output.Body.Close()
		body, err = readBody(output, limit)
		return err
	})
	return body, err
}

func (s *s3Store) Put(ctx context.Context, bucket, key string, body []byte, contentType string) error {
	return s.attempts.request(ctx, "put", key, func() error {
		_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: &key, Body: bytes.NewReader(body), ContentType: &contentType,
		})
		return err
	})
}

func (s *s3Store) Copy(ctx context.Context, bucket, from, to string) error {
	// url.PathEscape would leave '+' alone, which S3 reads as a space.
	source := httpbinding.EscapePath(bucket+"/"+from, false)
	return s.attempts.request(ctx, "copy", to, func() error {
		_, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &to, CopySource: &source})
		return err
	})
}

func (s *s3Store) Delete(ctx context.Context, bucket, key string) error {
	return s.attempts.request(ctx, "delete", key, func() error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		return err
	})
}
