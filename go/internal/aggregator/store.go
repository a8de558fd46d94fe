// Step store: the five operations on S3 and the types of their answers (SPEC L3, R1, W1, W4, W5).
// The clients that send the requests are in package s3. Holds nothing.

package aggregator

import (
	"context"
	"io"
)

// Object is a key and the size in bytes that the listing gives.
type Object struct {
	Key  string
	Size int64
}

// Page is one answer of a listing. Next is empty on the last page.
type Page struct {
	Objects  []Object
	Prefixes []string
	Next     string
}

// Store is S3. A client of package s3 sends one request in each call, and Attempts wraps a
// client to repeat the requests that fail.
type Store interface {
	// ListPage lists one page. The delimiter and the token may be empty.
	ListPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error)
	// Get reads a body to its end. A body of more than limit bytes is the fault TooLarge.
	Get(ctx context.Context, bucket, key string, limit int) ([]byte, error)
	// Put sends the body from its start, wherever an earlier attempt stopped.
	Put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error
	Copy(ctx context.Context, bucket, from, to string) error
	Delete(ctx context.Context, bucket, key string) error
}

// Refusal is a client's error where S3 answered, but without the result.
type Refusal struct {
	Status int    // of HTTP
	Code   string // of S3, such as NoSuchKey
	Cause  error  // the words of the library or of S3
}

func (r *Refusal) Error() string { return r.Cause.Error() }
