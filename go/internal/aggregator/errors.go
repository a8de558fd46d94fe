// Step errors: what a caller or a log line sees of a failure (SPEC E1 to E3), and the run's time.
// An Error ends the run; a Fault belongs to one source and does not. Holds nothing.

package aggregator

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
)

// Code begins the message of every failed invocation (E1).
type Code string

// The codes of a run.
const (
	BadSettings  Code = "BAD_SETTINGS"
	InvalidEvent Code = "INVALID_EVENT"
	InvalidDate  Code = "INVALID_DATE"
	NoTrail      Code = "NO_TRAIL"
	BadManifest  Code = "BAD_MANIFEST"
	FewerSources Code = "FEWER_SOURCES"
	BadSources   Code = "BAD_SOURCES"
	S3Error      Code = "S3_ERROR"
	OutOfTime    Code = "OUT_OF_TIME"
	Busy         Code = "BUSY"
	Internal     Code = "INTERNAL"
)

// Error is a failed run. Its text is the contract's, the cause is a library's, for the log (E2).
type Error struct {
	Code   Code
	Detail string
	cause  error
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Detail }

// Unwrap gives the cause, nil where the contract alone found the fault.
func (e *Error) Unwrap() error { return e.cause }

// Fault is what makes a source a bad source (R, B1).
type Fault string

// The faults of a source, in the order in which they count.
const (
	Missing   Fault = "MISSING"
	Archived  Fault = "ARCHIVED"
	TooLarge  Fault = "TOO_LARGE"
	BadGzip   Fault = "BAD_GZIP"
	BadJSON   Fault = "BAD_JSON"
	NoRecords Fault = "NO_RECORDS"
)

func (f Fault) Error() string { return string(f) }

func failure(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// s3Failure names a request that failed for good (E4).
func s3Failure(operation, key string, cause error) *Error {
	detail := operation + " " + escapeKey(key)
	if code := refusalOf(cause).Code; s3Code.MatchString(code) {
		detail += " (" + code + ")"
	}
	return &Error{S3Error, detail, cause}
}

var s3Code = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.]*$`)

// asError makes any error a contract error: what the contract does not name is INTERNAL.
func asError(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return &Error{Internal, "see the log", err}
}

// catchPanic turns a panic into an error. Deferred at the top of every goroutine,
// because one that is not caught there ends the whole sandbox.
func catchPanic(err *error) {
	if value := recover(); value != nil {
		*err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
	}
}

// escapeKey keeps control characters out of messages (E3).
func escapeKey(key string) string {
	var escaped strings.Builder
	for _, r := range key {
		if unicode.IsControl(r) {
			fmt.Fprintf(&escaped, `\u%04x`, r)
		} else {
			escaped.WriteRune(r)
		}
	}
	return escaped.String()
}

// badSources is the message of a day with bad sources: the first ten by name (B1).
func badSources(bad []badSource, sources int) *Error {
	const named = 10
	var parts []string
	for _, b := range bad[:min(named, len(bad))] {
		parts = append(parts, fmt.Sprintf("%s (%s)", escapeKey(b.key), b.fault))
	}
	if more := len(bad) - named; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return failure(BadSources, "%d of %d: %s", len(bad), sources, strings.Join(parts, ", "))
}

// badSource is a key and what is wrong with it.
type badSource struct {
	key   string
	fault Fault
}

// errOutOfTime is the cause for which a timeLimit ends; the handler adds the number of sources.
var errOutOfTime = errors.New("publishing may need all the time that is left")

const publishingChunk = 250 * time.Millisecond // time kept for each chunk (E6)

// timeLimit is a context that ends while there is still time to publish (E6).
type timeLimit struct {
	context.Context
	end   time.Time     // of the invocation
	kept  time.Duration // for publishing, at least
	timer *time.Timer
}

// newTimeLimit gives a context without a deadline: only that from W4 on has one (E8, K4).
func newTimeLimit(ctx context.Context, end time.Time) *timeLimit {
	kept := min(time.Until(end)/10, 30*time.Second)
	limited, expire := context.WithCancelCause(context.WithoutCancel(ctx))
	expireNow := func() { expire(errOutOfTime) }
	context.AfterFunc(ctx, expireNow)
	return &timeLimit{limited, end, kept, time.AfterFunc(time.Until(end)-kept, expireNow)}
}

// keepFor keeps enough time to publish so many chunks.
func (l *timeLimit) keepFor(chunks int) {
	l.timer.Reset(time.Until(l.end) - max(l.kept, time.Duration(chunks)*publishingChunk))
}
