// Step reader: bodies in the order of their keys (SPEC R1, R2, P2). Inflating them is the
// inflater's part. Holds up to CONCURRENCY bodies of up to 64 MiB together.

package aggregator

import (
	"context"
	"errors"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const windowBytes = 64 << 20 // by listed size (P2)

// Reader reads the sources of one bucket.
type Reader struct {
	store       Store
	journal     *Journal
	bucket      string
	limit       int // of a source, inflated
	concurrency int
}

// NewReader reads from the source bucket of the settings.
func NewReader(store Store, config Config, journal *Journal) *Reader {
	return &Reader{store, journal, config.SourceBucket, config.MaxSourceBytes, config.Concurrency}
}

// Fetched is a source and its body as stored, or the fault found in getting it.
type Fetched struct {
	Key   string
	Body  []byte
	Fault error
}

// window is what was asked for and is not yet written, in its order.
type window struct {
	places, room *semaphore.Weighted
	queue        chan *inFlight
	wanted       chan *inFlight // those of the queue that no goroutine gets yet
}

// inFlight is a source in the window, or the end of a page, which has nothing to fetch.
type inFlight struct {
	key     string
	fetched chan Fetched
	passed  func() // called when the consumer is done with it
}

// Bodies yields each source when its turn has come, or ends with an error. A source
// leaves the window when the loop that ranges over Bodies comes back for the next.
func (r *Reader) Bodies(ctx context.Context, pages iter.Seq2[Listed, error]) iter.Seq2[Fetched, error] {
	return func(yield func(Fetched, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		group, ctx := errgroup.WithContext(ctx)
		defer func() {
			cancel()
			_ = group.Wait() // its first error is the context's cause, which receive gave
		}()
		w := &window{
			semaphore.NewWeighted(int64(r.concurrency)), semaphore.NewWeighted(windowBytes),
			make(chan *inFlight, r.concurrency+pagesAhead+1), // for every source and page end
			make(chan *inFlight, r.concurrency),
		}
		group.Go(func() (err error) {
			defer catchPanic(&err)
			defer close(w.wanted)
			return r.fill(ctx, w, pages)
		})
		for range r.concurrency {
			group.Go(func() (err error) {
				defer catchPanic(&err)
				return r.getAll(ctx, w.wanted)
			})
		}
		for {
			started := time.Now()
			next, err := receive(ctx, w.queue)
			if err == nil && next == nil {
				return
			}
			isSource := err != nil || next.fetched != nil
			var fetched Fetched
			if err == nil && isSource {
				fetched, err = receive(ctx, next.fetched)
			}
			r.journal.Waited(started)
			if isSource && !yield(fetched, err) || err != nil {
				return
			}
			next.passed()
		}
	}
}

// fill asks for the sources in their order, as far as the window has room.
func (r *Reader) fill(ctx context.Context, w *window, pages iter.Seq2[Listed, error]) error {
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, source := range page.Sources {
			if err := r.ask(ctx, w, source); err != nil {
				return err
			}
		}
		w.queue <- &inFlight{passed: page.Passed}
	}
	close(w.queue)
	return nil
}

// ask has a source got as soon as the window has room for it.
func (r *Reader) ask(ctx context.Context, w *window, source Object) error {
	isTooLarge, bytes := source.Size > int64(r.limit), int64(0)
	if !isTooLarge {
		bytes = min(source.Size, windowBytes)
	}
	if w.places.Acquire(ctx, 1) != nil || w.room.Acquire(ctx, bytes) != nil {
		return context.Cause(ctx)
	}
	next := &inFlight{source.Key, make(chan Fetched, 1), func() { w.places.Release(1); w.room.Release(bytes) }}
	w.queue <- next
	if isTooLarge {
		next.fetched <- Fetched{Key: source.Key, Fault: TooLarge}
		return nil
	}
	w.wanted <- next
	return nil
}

// getAll gets one source after the other. A goroutine for each source would grow its stack
// anew each time: a twelfth of the SDK's CPU.
func (r *Reader) getAll(ctx context.Context, wanted <-chan *inFlight) error {
	for next := range wanted {
		if err := r.get(ctx, next.key, next.fetched); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) get(ctx context.Context, key string, fetched chan<- Fetched) error {
	ctx, ended := r.journal.Request(ctx, PhaseGet)
	defer ended()
	body, err := r.store.Get(ctx, r.bucket, key, r.limit)
	if _, isFault := errors.AsType[Fault](err); err != nil && !isFault {
		return err
	}
	fetched <- Fetched{key, body, err}
	return nil
}
