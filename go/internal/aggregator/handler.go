// Step handler: wires the other steps, once per invocation (SPEC S14, B, E6, E7, O1).
// Holds the settings and the client of the sandbox; nothing of a run outlives it.

package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Handler is the function of one sandbox.
type Handler struct {
	config      Config
	badSettings error
	out         io.Writer
	store       Store
}

// NewHandler reads the settings and opens the store. Logs go to out.
func NewHandler(env Lookup, out io.Writer, open func(Config) Store) *Handler {
	config, err := ReadConfig(env)
	return &Handler{config, err, out, open(config)}
}

// Invoke aggregates the day that the event names and gives the result as JSON. The event is
// raw bytes, as in lambda.Handler, so that the contract judges one that is not JSON, too.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	journal := NewJournal(h.out, h.config.LogLevel, requestIDOf(ctx))
	result, err := h.work(ctx, event, journal)
	if err != nil {
		failed := asError(err)
		journal.End(nil, failed)
		return nil, failed
	}
	journal.End(result, nil)
	return json.Marshal(result)
}

func (h *Handler) work(ctx context.Context, event []byte, journal *Journal) (_ *Result, err error) {
	defer catchPanic(&err)
	if h.badSettings != nil {
		return nil, h.badSettings
	}
	day, err := ParseTrigger(event)
	if err != nil {
		return nil, err
	}
	journal.Start(day)
	requests := NewAttempts(h.store, h.config.Concurrency, journal)
	run := &run{
		day: day, journal: journal, result: Result{Day: day.String()},
		claim:     NewClaim(requests, h.config, day, requestIDOf(ctx), endOf(ctx)),
		lister:    NewLister(requests.Timed(PhaseList), h.config),
		reader:    NewReader(requests.Timed(PhaseGet), h.config, journal),
		inflater:  NewInflater(h.config.MaxSourceBytes),
		writer:    NewWriter(requests.Timed(PhasePut), h.config, journal, day, requestIDOf(ctx)),
		publisher: NewPublisher(requests, h.config, day), // timed as a whole
	}
	err = run.aggregate(ctx)
	switch {
	case errors.Is(err, errOutOfTime):
		return nil, failure(OutOfTime, "%d sources read", run.result.Sources)
	case err != nil:
		return nil, err
	case len(run.bad) > 0 && !day.Force:
		return nil, badSources(run.bad, run.result.Sources)
	}
	return &run.result, nil
}

// run is one invocation's work for its day.
type run struct {
	day       Day
	journal   *Journal
	claim     *Claim
	lister    *Lister
	reader    *Reader
	inflater  *Inflater
	splitter  Splitter
	writer    *Writer
	publisher *Publisher
	result    Result
	bad       []badSource
}

// aggregate reads, writes and publishes. Until W4 every wait and every loop ends when the time is
// up, with errOutOfTime as the cause.
func (r *run) aggregate(ctx context.Context) error {
	limited := newTimeLimit(ctx, endOf(ctx))
	defer limited.timer.Stop()
	unlimited, end := publishing(ctx, limited.end)
	defer end()
	r.writer.afterPut = limited.keepFor
	if err := r.claim.Take(limited); err != nil {
		return err
	}
	defer r.claim.Release(ctx) // last, whatever happens (W13)
	for source, err := range r.reader.Bodies(limited, r.lister.Pages(limited, r.day)) {
		if err == nil {
			err = r.take(limited, source)
		}
		if err != nil {
			return err
		}
	}
	if err := r.writer.Flush(limited); err != nil {
		return err
	}
	r.result.count(r.writer.Chunks())
	defer r.journal.Add(PhasePublish, 1, time.Now())
	if err := r.publisher.Check(limited, r.result.Sources-r.result.Bad, r.day.Force); err != nil {
		return err
	}
	return r.publisher.Publish(unlimited, r.writer.Chunks(), &r.result)
}

// take writes a source's records, or notes its fault. Only then the source counts (E6).
func (r *run) take(ctx context.Context, source Fetched) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	lines, err := r.decode(ctx, source)
	if fault, ok := errors.AsType[Fault](err); ok {
		r.bad = append(r.bad, badSource{source.Key, fault})
		r.result.Bad++
		r.journal.Warn("bad_source", "key", source.Key, "code", fault)
	} else if err != nil {
		return err
	} else if err := r.writer.Add(ctx, lines); err != nil {
		return err
	}
	r.result.Sources++
	return nil
}

// decode gives a body's records as lines, or its fault.
func (r *run) decode(ctx context.Context, source Fetched) ([]byte, error) {
	if source.Fault != nil {
		return nil, source.Fault
	}
	defer r.journal.Add(PhaseDecode, 1, time.Now())
	text, err := r.inflater.Inflate(ctx, source.Body)
	if err != nil {
		return nil, err
	}
	return r.splitter.Split(ctx, text)
}
