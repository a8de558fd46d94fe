// Step journal: the result, the JSON lines on standard output and the phase sums of one
// invocation (SPEC O2 to O4). Safe for use by many goroutines; holds a dozen counters.

package aggregator

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

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

// count takes the chunks that were put into the result.
func (r *Result) count(chunks []Chunk) {
	r.Chunks = len(chunks)
	for _, chunk := range chunks {
		r.Records += chunk.Records
		r.Bytes += chunk.Bytes
	}
}

// Phase is a kind of work whose operations are counted and timed.
type Phase string

// The phases of an invocation.
const (
	PhaseList     Phase = "list"
	PhaseGet      Phase = "get"
	PhaseDecode   Phase = "decode"
	PhaseCompress Phase = "compress"
	PhasePut      Phase = "put"
	PhasePublish  Phase = "publish"
)

var phasesInOrder = []Phase{
	PhaseList, PhaseGet, PhaseDecode, PhaseCompress, PhasePut, PhasePublish,
}

type phaseSum struct {
	count   int
	elapsed time.Duration
}

// Journal is the log of one invocation. Its lines begin with level, event and request_id.
type Journal struct {
	*slog.Logger

	mutex  sync.Mutex
	sums   map[Phase]phaseSum
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
	return &Journal{
		Logger: slog.New(lines).With("request_id", requestID), sums: map[Phase]phaseSum{},
	}
}

// Start writes the first line of a run.
func (j *Journal) Start(day Day) {
	account := any(nil)
	if day.Account != "" {
		account = day.Account
	}
	j.Info("start", "day", day.String(), "account", account, "force", day.Force)
}

// Add counts operations of a phase and the time since started, which they took.
func (j *Journal) Add(phase Phase, operations int, started time.Time) {
	elapsed := time.Since(started)
	j.mutex.Lock()
	defer j.mutex.Unlock()
	sum := j.sums[phase]
	j.sums[phase] = phaseSum{sum.count + operations, sum.elapsed + elapsed}
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
	phases := make([]any, len(phasesInOrder))
	for i, phase := range phasesInOrder {
		sum := j.sums[phase]
		phases[i] = slog.Group(string(phase), "count", sum.count, "sum_ms", sum.elapsed.Milliseconds())
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
		slog.Group("phases", phases...),
		"wait_ms", j.waited.Milliseconds())
}

// endOf is the end of the invocation's time. Lambda always sets one, of 15 minutes at most.
func endOf(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline
	}
	return time.Now().Add(15 * time.Minute)
}

// requestIDOf is Lambda's id of the invocation.
func requestIDOf(ctx context.Context) string {
	if lambda, ok := lambdacontext.FromContext(ctx); ok {
		return lambda.AwsRequestID
	}
	return ""
}
