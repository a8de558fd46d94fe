package aggregator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	lost := errors.New("connection reset")
	for want, err := range map[string]error{
		"S3_ERROR: get a/b":                 s3Failure("get", "a/b", lost),
		`S3_ERROR: list \u0000\u001f\u0085`: s3Failure("list", "\x00\x1f\u0085", lost),
		"S3_ERROR: get k (A.b2)":            s3Failure("get", "k", refusal(400, "A.b2")),
		"S3_ERROR: get 5xx":                 s3Failure("get", "5xx", refusal(500, "500")),
		"S3_ERROR: get odd":                 s3Failure("get", "odd", refusal(500, "A b")),
		"S3_ERROR: get none":                s3Failure("get", "none", refusal(500, "")),
		"INTERNAL: see the log":             asError(lost),
		"FEWER_SOURCES: published 3": asError(fmt.Errorf("wrapped: %w",
			failure(FewerSources, "published %d", 3))),
	} {
		if err.Error() != want {
			t.Errorf("text is %q, expected %q", err, want)
		}
	}
	if !errors.Is(asError(lost), lost) {
		t.Error("the cause is lost")
	}
}

func TestEscapeKeyKeepsWhatIsNoControlCharacter(t *testing.T) {
	for key, want := range map[string]string{
		"a b+%/é\u00a0\u2028😀": "a b+%/é\u00a0\u2028😀",
		"a\nb\x7fc\u009f":      `a\u000ab\u007fc\u009f`,
	} {
		if got := escapeKey(key); got != want {
			t.Errorf("%q is escaped as %q, expected %q", key, got, want)
		}
	}
}

func TestBadSourcesNamesTheFirstTen(t *testing.T) {
	var bad []badSource
	for n := range 11 {
		bad = append(bad, badSource{fmt.Sprintf("k%d", n), BadGzip})
	}
	want := "BAD_SOURCES: 2 of 9: k0 (BAD_GZIP), k1 (BAD_GZIP)"
	if got := badSources(bad[:2], 9).Error(); got != want {
		t.Errorf("text is %q, expected %q", got, want)
	}
	want = "BAD_SOURCES: 11 of 12: k0 (BAD_GZIP), k1 (BAD_GZIP), k2 (BAD_GZIP), " +
		"k3 (BAD_GZIP), k4 (BAD_GZIP), " +
		"k5 (BAD_GZIP), k6 (BAD_GZIP), k7 (BAD_GZIP), k8 (BAD_GZIP), k9 (BAD_GZIP), and 1 more"
	if got := badSources(bad, 12).Error(); got != want {
		t.Errorf("text is %q, expected %q", got, want)
	}
}

func TestCatchPanic(t *testing.T) {
	fails := func() (err error) {
		defer catchPanic(&err)
		panic("boom")
	}
	if err := asError(fails()); err.Code != Internal || err.cause == nil {
		t.Errorf("a panic becomes %v", err)
	}
}

// endingContext ends when it has been looked at so many times.
type endingContext struct {
	context.Context
	looks int
}

func (c *endingContext) Err() error {
	if c.looks--; c.looks < 0 {
		return errOutOfTime
	}
	return nil
}

// E6: the time is checked in each loop over a source's text or its records.
func TestTheTimeCanBeUpInTheMiddleOfASource(t *testing.T) {
	text := strings.Repeat("x", 4<<20)
	for name, work := range map[string]func(ctx context.Context) error{
		"inflating": func(ctx context.Context) error {
			_, err := NewInflater(8<<20).Inflate(ctx, zip([]byte(text)))
			return err
		},
		"one long value": func(ctx context.Context) error {
			var s Splitter
			_, err := s.Split(ctx, []byte(`{"Records":[],"x":"`+text+`"}`))
			return err
		},
		"many records": func(ctx context.Context) error {
			var s Splitter
			_, err := s.Split(ctx, []byte(`{"Records":[{}`+strings.Repeat(",{}", 2<<20)+`]}`))
			return err
		},
		"brackets": func(ctx context.Context) error {
			isDeeper(ctx, []byte("["+strings.Repeat("[],", 2<<20)+"[]]"), 2)
			return context.Cause(ctx)
		},
		"line breaks": func(ctx context.Context) error {
			appendLine(ctx, nil, []byte("["+strings.Repeat("1,\n", 2<<20)+"1]"))
			return context.Cause(ctx)
		},
		"compressing": func(ctx context.Context) error {
			w, _, _ := testWriter(8 << 20)
			return w.Add(ctx, []byte(text+"\n"))
		},
	} {
		ctx := &endingContext{context.Background(), 3}
		if err := work(ctx); !errors.Is(err, errOutOfTime) || ctx.looks < -9 {
			t.Errorf("%s: error is %v after %d looks", name, err, 3-ctx.looks)
		}
	}
}

// E10: a run can't catch it, so no sandbox goes on after it.
func TestAnAllocationThatFailsEndsTheProcess(t *testing.T) {
	const variable = "TEST_ALLOCATION"
	if os.Getenv(variable) != "" {
		handler, store, _ := testHandler(nil)
		store.before = func(context.Context, string, string) error {
			none := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
			if err := syscall.Setrlimit(syscall.RLIMIT_AS, &none); err != nil {
				return err
			}
			_, err := io.Discard.Write(make([]byte, 1<<30))
			return err
		}
		_, err := handler.Invoke(testContext(t), []byte(testEvent))
		t.Fatalf("the process goes on: %v", err)
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	command.Env = append(os.Environ(), variable+"=1")
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "fatal error") ||
		strings.Contains(string(output), "goes on") {
		t.Errorf("the process ends with %v: %s", err, output)
	}
}
