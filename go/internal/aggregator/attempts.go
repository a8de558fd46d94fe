// Step attempts: a request is made of at most five attempts, and at most CONCURRENCY
// requests are in flight (SPEC E4, E5, P1). What an attempt does is the store's part.
// Holds a slot for each request in flight.

package aggregator

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const maxAttempts = 5

// attempts makes the requests of one invocation.
type attempts struct {
	journal *Journal
	slots   chan struct{} // one for each request in flight
	backoff time.Duration
}

func newAttempts(concurrency int, journal *Journal) *attempts {
	return &attempts{journal, make(chan struct{}, concurrency), 100 * time.Millisecond}
}

// request makes up to five attempts (E5). A Fault is an answer and ends them. An ended
// context wins over the failure that it brings about.
func (a *attempts) request(ctx context.Context, operation, key string, attempt func() error) error {
	for n := 1; ; n++ {
		err := a.inSlot(ctx, attempt)
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
func (a *attempts) inSlot(ctx context.Context, attempt func() error) error {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
		StartClock(ctx)
		return attempt()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryable is every failure but an answer 3xx, or 4xx other than 408 and 429.
func retryable(err error) bool {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok {
		return true
	}
	status := answer.HTTPStatusCode()
	return status/100 != 3 && status/100 != 4 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}
