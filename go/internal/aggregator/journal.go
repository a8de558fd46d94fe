// Step journal: JSON lines on standard output and the phase sums of one invocation
// (SPEC O2 to O4). Safe for use by many goroutines; holds a dozen counters.

package aggregator

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Phase is a kind of work whose operations are counted and timed.
type Phase int

// The phases, in the order of the log.
const (
	PhaseList Phase = iota
	PhaseGet
	PhaseDecode
	PhaseCompress
	PhasePut
	PhasePublish
	phaseCount
)

type phaseSum struct {
	count   int
	elapsed time.Duration
}

// Journal is the log of one invocation. Its lines begin with level, event and request_id.
type Journal struct {
	*slog.Logger

	mutex  sync.Mutex
	phases [phaseCount]phaseSum
	waited time.Duration
}

// NewJournal writes the lines of at least the given level to out.
func NewJournal(out io.Writer, level slog.Level, requestID string) *Journal {
	lines := slog.NewJSONHandler(out, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			switch {
			case len(groups) > 0:
				return a
			case a.Key == slog.TimeKey: // the platform stamps every line
				return slog.Attr{}
			case a.Key == slog.MessageKey:
				a.Key = "event"
			}
			return a
		},
	})
	return &Journal{Logger: slog.New(lines).With("request_id", requestID)}
}

// Add counts operations of a phase and the time since started, which they took.
func (j *Journal) Add(phase Phase, operations int, started time.Time) {
	elapsed := time.Since(started)
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.phases[phase].count += operations
	j.phases[phase].elapsed += elapsed
}

type clockKey struct{}

// Request gives the context of a request that counts as an operation of a phase, and what
// to call when it has ended. Its clock starts with StartClock, when it may be sent (O3).
func (j *Journal) Request(ctx context.Context, phase Phase) (timed context.Context, ended func()) {
	var started time.Time
	timed = context.WithValue(ctx, clockKey{}, &started)
	return timed, func() {
		if !started.IsZero() {
			j.Add(phase, 1, started)
		}
	}
}

// StartClock starts the clock of the request, if it has one that is not yet running.
func StartClock(ctx context.Context) {
	if started, ok := ctx.Value(clockKey{}).(*time.Time); ok && started.IsZero() {
		*started = time.Now()
	}
}

// Waited adds the time since started to what the ordered consumer has waited.
func (j *Journal) Waited(started time.Time) {
	elapsed := time.Since(started)
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.waited += elapsed
}

// End writes the last line of the invocation (O3). One of result and failed is nil.
func (j *Journal) End(result *Result, failed *Error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	phase := func(name string, p Phase) slog.Attr {
		sum := j.phases[p]
		return slog.Group(name, "count", sum.count, "sum_ms", sum.elapsed.Milliseconds())
	}
	level, message, cause := slog.LevelInfo, any(nil), any(nil)
	if failed != nil {
		level, message = slog.LevelError, failed.Error()
		if failed.cause != nil {
			cause = failed.cause.Error()
		}
	}
	j.Log(context.Background(), level, "end",
		"error", message, "cause", cause, "result", result,
		slog.Group("phases",
			phase("list", PhaseList), phase("get", PhaseGet), phase("decode", PhaseDecode),
			phase("compress", PhaseCompress), phase("put", PhasePut), phase("publish", PhasePublish)),
		"wait_ms", j.waited.Milliseconds())
}
