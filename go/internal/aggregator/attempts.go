// Step attempts: a request has at most five attempts, with pauses between them. At most CONCURRENCY
// requests are in flight, fewer after a SlowDown (SPEC E4, E5, E8, P1). Holds their number.

package aggregator

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const (
	maxAttempts    = 5
	firstPause     = 100 * time.Millisecond
	firstSlowPause = time.Second
)

// Attempts is a Store that repeats what fails in another one. Its errors are S3_ERROR, the
// cause of an ended context, and the faults Missing and TooLarge of Get.
type Attempts struct {
	store   Store
	journal *Journal
	gate    *gate
	phase   Phase // empty: requests are not timed
}

// NewAttempts makes the requests of one invocation.
func NewAttempts(store Store, concurrency int, journal *Journal) *Attempts {
	places := semaphore.NewWeighted(int64(concurrency))
	gate := &gate{places: places, most: concurrency, limit: concurrency}
	return &Attempts{store: store, journal: journal, gate: gate}
}

// Timed gives a copy with the same gate, whose requests count as operations of the phase.
func (a *Attempts) Timed(phase Phase) *Attempts {
	timed := *a
	timed.phase = phase
	return &timed
}

// request makes up to five attempts (E5), and more after SlowDown (E8). A Fault is final and comes
// as it is. An ended context wins over the failure that it brings about.
func (a *Attempts) request(ctx context.Context, operation, key string, attempt func() error) error {
	var started time.Time // zero until the first attempt has its place (O3)
	defer func() {
		if a.phase != "" && !started.IsZero() {
			a.journal.Add(a.phase, 1, started)
		}
	}()
	var made tries
	for {
		err := a.gate.pass(ctx, func() error {
			if started.IsZero() {
				started = time.Now()
			}
			return attempt()
		})
		switch fault, isFault := errors.AsType[Fault](err); {
		case err == nil:
			return nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded): // from W4 on (E5)
			return s3Failure(operation, key, err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isFault:
			return fault
		}
		pause, isOver := made.next(ctx, refusalOf(err))
		if isOver {
			return s3Failure(operation, key, err)
		}
		a.journal.Warn("retry", "operation", operation, "key", key,
			"attempt", made.failed+made.slowed, "cause", err.Error())
		select {
		case <-time.After(pause):
		case <-ctx.Done(): // the gate tells why
		}
	}
}

// tries counts a request's attempts: those of the five (E5), and those after SlowDown (E8).
type tries struct{ failed, slowed int }

// next gives the pause before the next attempt, or says that there is none.
func (t *tries) next(ctx context.Context, refusal Refusal) (pause time.Duration, isOver bool) {
	if refusal.isSlowDown() {
		pause = jitter(firstSlowPause << min(t.slowed, 2)) // 1, 2, 4, 4 ... seconds
		t.slowed++
	} else {
		pause = jitter(firstPause << t.failed)
		t.failed++
	}
	end, isPublishing := ctx.Deadline() // before W4 there is none (see newTimeLimit)
	isLate := isPublishing && time.Until(end) <= pause
	return pause, isLate || t.failed == maxAttempts || refusal.isFinal()
}

func jitter(pause time.Duration) time.Duration { return pause/2 + rand.N(pause/2) }

// gate lets requests in: at most limit are in flight (P1). SlowDown halves it (E8).
type gate struct {
	places      *semaphore.Weighted
	mutex       sync.Mutex
	most, limit int
	closed      int // places that are given to no request
}

// pass holds a place during the attempt, not during the pause after it.
func (g *gate) pass(ctx context.Context, attempt func() error) (err error) {
	if err = g.places.Acquire(ctx, 1); err == nil {
		defer func() { g.leave(err) }()
		err = attempt()
	}
	return err
}

func (g *gate) leave(err error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if err == nil {
		g.limit = min(g.limit+1, g.most)
	} else if refusalOf(err).isSlowDown() {
		g.limit = max(g.limit/2, 1)
	}
	g.closed++ // this attempt's place; the others in use are closed when their attempts end
	for g.closed < g.most-g.limit && g.places.TryAcquire(1) {
		g.closed++
	}
	for ; g.closed > g.most-g.limit; g.closed-- {
		g.places.Release(1)
	}
}

// sideBySide works on all items; its bound is for goroutines, the gate's is for requests.
func sideBySide[T any](ctx context.Context, items []T, work func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrency)
	for _, item := range items {
		group.Go(func() (err error) {
			defer catchPanic(&err)
			return work(ctx, item)
		})
	}
	return group.Wait()
}
