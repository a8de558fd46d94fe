// Step reader: bodies in the order of their keys (SPEC R1, R2, R9, P2).
// Holds up to CONCURRENCY bodies of up to 64 MiB together, or one larger body.

package aggregator

import (
	"context"
	"errors"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"rosetta/internal/tuning"
	"rosetta/internal/until"
)

const windowBytes = 64 << 20 // by listed size (P2)

// Reader reads the sources of one bucket.
type Reader struct {
	store       Store
	journal     *Journal
	bucket      string
	limit       int // of a source
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

// Bodies yields each source when its turn has come, or ends with an error. A source
// leaves the window when the loop that ranges over Bodies comes back for the next.
func (r *Reader) Bodies(
	ctx context.Context, pages iter.Seq2[Listed, error],
) iter.Seq2[Fetched, error] {
	return func(yield func(Fetched, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		group, ctx := errgroup.WithContext(ctx)
		defer func() { _ = group.Wait() }() // its error is the context's cause, which next gave
		defer cancel()
		w := &window{
			sources:  semaphore.NewWeighted(int64(r.concurrency)),
			bytes:    semaphore.NewWeighted(windowBytes),
			queue:    make(chan *place, r.concurrency+pagesAhead+1),
			fetching: tuning.NewWorkers(group, r.concurrency),
		}
		group.Go(func() error { return r.fill(ctx, w, pages) })
		for {
			started := time.Now()
			source, leave, err := w.next(ctx)
			r.journal.Waited(started)
			if errors.Is(err, errLast) || !yield(source, err) || err != nil {
				return
			}
			leave()
		}
	}
}

var errLast = errors.New("no source follows") // not io.EOF, which an error of S3 may wrap

// window is the sources that were asked for and are not yet written.
type window struct {
	sources, bytes *semaphore.Weighted // room for them
	queue          chan *place         // in their order; never full: all that have room fit in
	fetching       *tuning.Workers
}

// place is a source's; one without a source is the end of a page and stands behind its sources.
type place struct {
	fetched chan Fetched // nil: the end of a page
	leave   func()       // to be called when the consumer is done with it
}

// next waits for the source whose turn it is. After the last one the error is errLast.
func (w *window) next(ctx context.Context) (source Fetched, leave func(), err error) {
	for {
		first, err := until.Receive(ctx, w.queue)
		switch {
		case err != nil:
			return Fetched{}, nil, err
		case first == nil:
			return Fetched{}, nil, errLast
		case first.fetched != nil:
			source, err = until.Receive(ctx, first.fetched)
			return source, first.leave, err
		}
		first.leave()
	}
}

// fill gives the sources their places in order, as far as the window has room.
func (r *Reader) fill(ctx context.Context, w *window, pages iter.Seq2[Listed, error]) (err error) {
	defer catchPanic(&err)
	defer w.fetching.Close()
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, source := range page.Sources {
			if err := r.admit(ctx, w, source); err != nil {
				return err
			}
		}
		w.queue <- &place{leave: page.Passed}
	}
	close(w.queue) // not after an error: that must not look like the end
	return nil
}

// admit waits for room and has the source fetched, unless it is known to be too large.
func (r *Reader) admit(ctx context.Context, w *window, source Object) error {
	bytes := min(source.Size, windowBytes) // a larger one waits until it is alone
	if w.sources.Acquire(ctx, 1) != nil || w.bytes.Acquire(ctx, bytes) != nil {
		return context.Cause(ctx)
	}
	fetched := make(chan Fetched, 1)
	w.queue <- &place{fetched, func() { w.sources.Release(1); w.bytes.Release(bytes) }}
	if source.Size > int64(r.limit) {
		fetched <- Fetched{Key: source.Key, Fault: TooLarge}
		return nil
	}
	w.fetching.Go(func() error { return r.fetch(ctx, source.Key, fetched) })
	return nil
}

// fetch gets a body or finds its fault; any other error ends the run.
func (r *Reader) fetch(ctx context.Context, key string, fetched chan<- Fetched) (err error) {
	defer catchPanic(&err)
	body, _, err := r.store.Get(ctx, r.bucket, key, r.limit)
	if refusalOf(err).isArchived() {
		err = Archived
	}
	if _, isFault := errors.AsType[Fault](err); err != nil && !isFault {
		return err
	}
	fetched <- Fetched{key, body, err}
	return nil
}
