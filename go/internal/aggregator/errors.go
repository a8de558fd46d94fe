// Step errors: what a caller or a log line sees of a failure (SPEC E, B).
// An Error ends the run; a Fault belongs to one source and does not. Holds nothing.

package aggregator

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
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

// Error is a failed run. Its text is the contract's, the same in every language;
// what a library said about it is the cause, for the log only (E2).
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

// errOutOfTime is the cause with which a run's context ends when its time is up (E6);
// the handler adds the number of sources.
var errOutOfTime = errors.New("the run's share of the invocation's time is used up")

func failure(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// s3Failure names a request that failed for good (E4).
func s3Failure(operation, key string, cause error) *Error {
	return &Error{S3Error, operation + " " + escapeKey(key), cause}
}

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

// receive waits for a value, but no longer than the context lasts. A closed channel gives
// the zero value.
func receive[T any](ctx context.Context, from <-chan T) (value T, err error) {
	select {
	case value = <-from:
		return value, nil
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

// escapeKey keeps control characters out of messages (E3).
func escapeKey(key string) string {
	if !strings.ContainsFunc(key, unicode.IsControl) {
		return key
	}
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
	parts := make([]string, 0, named)
	for _, b := range bad[:min(named, len(bad))] {
		parts = append(parts, fmt.Sprintf("%s (%s)", escapeKey(b.key), b.fault))
	}
	text := strings.Join(parts, ", ")
	if more := len(bad) - named; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return failure(BadSources, "%d of %d: %s", len(bad), sources, text)
}

// badSource is a key and what is wrong with it.
type badSource struct {
	key   string
	fault Fault
}
