// Step store: the five operations on S3 and the types of their answers (SPEC S12, R1, R2, R9, W12,
// E5). The clients that send the requests are in package s3. Holds nothing.

package aggregator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
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
	// Get reads a body to its end and gives its ETag, too. A body of more than limit bytes is
	// the fault TooLarge; it has an ETag, but no bytes.
	Get(ctx context.Context, bucket, key string, limit int) (body []byte, etag string, err error)
	// Put sends the body from its start, wherever an earlier attempt stopped. It gives the
	// ETag of the new object.
	Put(ctx context.Context, bucket, key string, upload Upload) (etag string, err error)
	Copy(ctx context.Context, bucket, from, to string) error
	Delete(ctx context.Context, bucket, key string, condition Condition) error
}

// Upload is an object to put.
type Upload struct {
	Body        *io.SectionReader // each attempt reads it from its start
	ContentType string
	Condition   Condition
}

// jsonUpload is an object of JSON text.
func jsonUpload(text []byte) Upload {
	body := io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text)))
	return Upload{Body: body, ContentType: "application/json"}
}

// Condition is a header on which a write depends: S3 refuses the write with status 412 if
// the condition does not hold. The zero value is no condition.
type Condition struct{ Header, Value string }

// IfAbsent is the condition that there is no such object.
var IfAbsent = Condition{"If-None-Match", "*"}

// IfUnchanged is the condition that the object has the ETag.
func IfUnchanged(etag string) Condition { return Condition{"If-Match", etag} }

// Refusal is a client's error where S3 answered, but without the result.
type Refusal struct {
	Status int    // of HTTP
	Code   string // of S3, such as NoSuchKey; empty if the answer has none
	Cause  error  // the words of the library or of S3
}

func (r *Refusal) Error() string { return r.Cause.Error() }

// refusalOf gives the answer of S3 behind an error; an empty one if there was no answer.
func refusalOf(err error) Refusal {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return *refusal
	}
	return Refusal{}
}

func (r Refusal) isMissing() bool {
	return r.Status == http.StatusNotFound && r.Code == "NoSuchKey"
}

func (r Refusal) isArchived() bool {
	return r.Status == http.StatusForbidden && r.Code == "InvalidObjectState"
}

func (r Refusal) isSlowDown() bool { return r.Code == "SlowDown" }

// isFinal is true for answers that S3 would give again: 3xx, and most of 4xx (E5).
func (r Refusal) isFinal() bool {
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	case http.StatusBadRequest: // the time-out of a request that was sent too slowly
		return r.Code != "RequestTimeout"
	}
	return r.Status/100 == 3 || r.Status/100 == 4
}

// Attempts is a Store, too. Each of its operations is a request with attempts (step attempts).

func (a *Attempts) ListPage(
	ctx context.Context, bucket, prefix, delimiter, token string,
) (page Page, err error) {
	err = a.request(ctx, "list", prefix, func() (err error) {
		page, err = a.store.ListPage(ctx, bucket, prefix, delimiter, token)
		return err
	})
	return page, err
}

func (a *Attempts) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	err = a.request(ctx, "get", key, func() (err error) {
		body, etag, err = a.store.Get(ctx, bucket, key, limit)
		if refusalOf(err).isMissing() {
			return Missing
		}
		return err
	})
	return body, etag, err
}

func (a *Attempts) Put(
	ctx context.Context, bucket, key string, upload Upload,
) (etag string, err error) {
	err = a.request(ctx, "put", key, func() (err error) {
		etag, err = a.store.Put(ctx, bucket, key, upload)
		return err
	})
	return etag, err
}

func (a *Attempts) Copy(ctx context.Context, bucket, from, to string) error {
	return a.request(ctx, "copy", to, func() error { return a.store.Copy(ctx, bucket, from, to) })
}

func (a *Attempts) Delete(ctx context.Context, bucket, key string, condition Condition) error {
	return a.request(ctx, "delete", key, func() error {
		return a.store.Delete(ctx, bucket, key, condition)
	})
}
