// Step attempts: a request has at most five attempts, and at most CONCURRENCY requests are in
// flight (SPEC E4, E5, P1, R1, O3). Holds a slot for each request in flight.

package aggregator

import (
	"context"
	"errors"
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

// Timed gives a copy with the same slots, whose requests count as operations of the phase.
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
) (body []byte, etag string, err error) {
	err = a.request(ctx, "get", key, func() (err error) {
		body, etag, err = a.store.Get(ctx, bucket, key, limit)
		if refusalOf(err).Code == "NoSuchKey" {
			return Missing
		}
		return err
	})
	return body, etag, err
}

// Put is that of Store.
func (a *Attempts) Put(
	ctx context.Context, bucket, key string, upload Upload,
) (etag string, err error) {
	err = a.request(ctx, "put", key, func() (err error) {
		etag, err = a.store.Put(ctx, bucket, key, upload)
		return err
	})
	return etag, err
}

// Copy is that of Store.
func (a *Attempts) Copy(ctx context.Context, bucket, from, to string) error {
	return a.request(ctx, "copy", to, func() error { return a.store.Copy(ctx, bucket, from, to) })
}

// Delete is that of Store.
func (a *Attempts) Delete(ctx context.Context, bucket, key string, condition Condition) error {
	return a.request(ctx, "delete", key, func() error {
		return a.store.Delete(ctx, bucket, key, condition)
	})
}

// request makes up to five attempts (E5). A Fault is final and comes as it is. An ended
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

// retryable is false for answers that S3 would give again: 3xx, and most of 4xx.
func retryable(err error) bool {
	switch refusal := refusalOf(err); refusal.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	case http.StatusBadRequest: // the time-out of a request that was sent too slowly
		return refusal.Code == "RequestTimeout"
	default:
		return refusal.Status/100 != 3 && refusal.Status/100 != 4
	}
}
