// Step attempts: a request has at most five attempts, and at most CONCURRENCY requests are in
// flight (SPEC E4, E5, P1, R1, O3). Holds a slot for each request in flight.

package aggregator

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const maxAttempts = 5

// Attempts is a Store that repeats what fails in another one. Its errors are S3_ERROR, the
// cause of an ended context, and the faults Missing and TooLarge of Get.
type Attempts struct {
	store   Store
	journal *Journal
	slots   chan struct{} // one for each request in flight
	backoff time.Duration
	phase   Phase // empty: requests are not timed
}

// NewAttempts makes the requests of one invocation.
func NewAttempts(store Store, concurrency int, journal *Journal) *Attempts {
	return &Attempts{
		store: store, journal: journal, slots: make(chan struct{}, concurrency),
		backoff: 100 * time.Millisecond,
	}
}

// Timed shares the slots, and counts each request as an operation of the phase.
func (a *Attempts) Timed(phase Phase) *Attempts {
	timed := *a
	timed.phase = phase
	return &timed
}

// ListPage is that of Store.
func (a *Attempts) ListPage(
	ctx context.Context, bucket, prefix, delimiter, token string,
) (page Page, err error) {
	err = a.request(ctx, "list", prefix, func() (err error) {
		page, err = a.store.ListPage(ctx, bucket, prefix, delimiter, token)
		return err
	})
	return page, err
}

// Get is that of Store.
func (a *Attempts) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, err error) {
	err = a.request(ctx, "get", key, func() (err error) {
		body, err = a.store.Get(ctx, bucket, key, limit)
		if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Code == "NoSuchKey" {
			return Missing
		}
		return err
	})
	return body, err
}

// Put is that of Store.
func (a *Attempts) Put(
	ctx context.Context, bucket, key string, body *io.SectionReader, contentType string,
) error {
	return a.request(ctx, "put", key, func() error {
		return a.store.Put(ctx, bucket, key, body, contentType)
	})
}

// Copy is that of Store.
func (a *Attempts) Copy(ctx context.Context, bucket, from, to string) error {
	return a.request(ctx, "copy", to, func() error { return a.store.Copy(ctx, bucket, from, to) })
}

// Delete is that of Store.
func (a *Attempts) Delete(ctx context.Context, bucket, key string) error {
	return a.request(ctx, "delete", key, func() error { return a.store.Delete(ctx, bucket, key) })
}

// request makes up to five attempts (E5). A Fault is an answer and ends them. An ended
// context wins over the failure that it brings about.
func (a *Attempts) request(ctx context.Context, operation, key string, attempt func() error) error {
	var started time.Time // zero until the first attempt has its slot (O3)
	defer func() {
		if a.phase != "" && !started.IsZero() {
			a.journal.Add(a.phase, 1, started)
		}
	}()
	for n := 1; ; n++ {
		err := a.inSlot(ctx, func() error {
			if n == 1 {
				started = time.Now()
			}
			return attempt()
		})
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if fault, ok := errors.AsType[Fault](err); ok {
			return fault
		}
		if n == maxAttempts || !retryable(err) {
			return s3Failure(operation, key, err)
		}
		a.journal.Warn("retry", "operation", operation, "key", key, "attempt", n, "cause", err.Error())
		delay := a.backoff << (n - 1)
		select {
		case <-time.After(delay/2 + rand.N(delay/2)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// inSlot holds a slot during the attempt, not during the delay after it.
func (a *Attempts) inSlot(ctx context.Context, attempt func() error) error {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
		return attempt()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryable is every failure but an answer 3xx, or 4xx other than 408 and 429.
func retryable(err error) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		return true
	}
	switch status := refusal.Status; status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	default:
		return status/100 != 3 && status/100 != 4
	}
}
