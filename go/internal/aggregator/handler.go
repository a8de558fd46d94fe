// Step handler: wires the other steps, once per invocation (SPEC S14, B, E6, E7, O).
// Holds the settings and the client of the sandbox; nothing of a run outlives it.

package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// reserve is kept of an invocation's time for publishing: a tenth, at most this (E6).
const reserve = 30 * time.Second

// Result is what a successful invocation returns and the manifest keeps (O1).
type Result struct {
	Day     string `json:"day"`
	Sources int    `json:"sources"`
	Bad     int    `json:"bad"`
	Records int    `json:"records"`
	Bytes   int    `json:"bytes"`
	Chunks  int    `json:"chunks"`
	Deleted int    `json:"deleted"`
}

// Handler is the function of one sandbox.
type Handler struct {
	config      Config
	badSettings error
	out         io.Writer
	openStore   func(*Journal) Store
}

// NewHandler reads the settings and makes the client; what is wrong with them is
// reported by every invocation. Logs go to out.
func NewHandler(env Lookup, out io.Writer) *Handler {
	config, err := ReadConfig(env)
	client := newClient(config, newSender(config.Concurrency))
	return &Handler{config, err, out, func(journal *Journal) Store {
		return newS3Store(client, config.Concurrency, journal)
	}}
}

// Invoke aggregates the day that the event names and gives the result as JSON. Its
// error's text begins with a code. It takes raw bytes as lambda.Handler does, so that
// the contract judges an event that is not JSON, too.
func (h *Handler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	requestID := ""
	if lambda, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lambda.AwsRequestID
	}
	journal := NewJournal(h.out, h.config.LogLevel, requestID)
	result, err := h.handle(ctx, event, journal, requestID)
	if err != nil {
		failed := asError(err)
		journal.End(nil, failed)
		return nil, failed
	}
	journal.End(result, nil)
	return json.Marshal(result)
}

func (h *Handler) handle(ctx context.Context, event []byte, journal *Journal, requestID string) (result *Result, err error) {
	defer catchPanic(&err)
	if h.badSettings != nil {
		return nil, h.badSettings
	}
	day, err := ParseTrigger(event)
	if err != nil {
		return nil, err
	}
	account := any(nil)
	if day.Account != "" {
		account = day.Account
	}
	journal.Info("start", "day", day.String(), "account", account, "force", day.Force)

	store := h.openStore(journal)
	run := &run{
		day: day, journal: journal, result: Result{Day: day.String()},
		lister: NewLister(store, h.config, journal), reader: NewReader(store, h.config, journal),
		inflater: NewInflater(h.config.MaxSourceBytes), writer: NewWriter(store, h.config, journal, day, requestID),
	}
	err = run.aggregate(ctx)
	if errors.Is(err, errOutOfTime) {
		return nil, failure(OutOfTime, "%d sources read", run.result.Sources)
	}
	if err != nil {
		return nil, err
	}
	if len(run.bad) > 0 && !day.Force {
		return nil, badSources(run.bad, run.result.Sources)
	}
	return &run.result, nil
}

// run is one invocation's work for its day.
type run struct {
	day      Day
	journal  *Journal
	lister   *Lister
	reader   *Reader
	inflater *Inflater
	splitter Splitter
	writer   *Writer
	result   Result
	bad      []badSource
}

// aggregate reads, writes and publishes. Until the first copy every wait ends when the
// time is up, with errOutOfTime as the cause.
func (r *run) aggregate(ctx context.Context) error {
	limited := ctx
	if deadline, ok := ctx.Deadline(); ok {
		kept := min(time.Until(deadline)/10, reserve)
		var cancel context.CancelFunc
		limited, cancel = context.WithDeadlineCause(ctx, deadline.Add(-kept), errOutOfTime)
		defer cancel()
	}
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
	r.result.Bad, r.result.Chunks = len(r.bad), len(r.writer.Chunks())
	for _, chunk := range r.writer.Chunks() {
		r.result.Records += chunk.Records
		r.result.Bytes += chunk.Bytes
	}
	return r.writer.Publish(limited, ctx, &r.result, r.day.Force)
}

// take writes a source's records, or notes what is wrong with it. Only then it counts (E6).
func (r *run) take(ctx context.Context, source Fetched) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	lines, err := r.decode(source)
	if fault, ok := errors.AsType[Fault](err); ok {
		r.result.Sources++
		r.bad = append(r.bad, badSource{source.Key, fault})
		r.journal.Warn("bad_source", "key", source.Key, "code", fault)
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.writer.Add(ctx, lines); err != nil {
		return err
	}
	r.result.Sources++
	return nil
}

// decode gives a body's records as lines, or its fault.
func (r *run) decode(source Fetched) ([]byte, error) {
	if source.Fault != nil {
		return nil, source.Fault
	}
	defer r.journal.Add(PhaseDecode, 1, time.Now())
	text, err := r.inflater.Inflate(source.Body)
	if err != nil {
		return nil, err
	}
	return r.splitter.Split(text)
}
