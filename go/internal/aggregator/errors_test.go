package aggregator

import (
	"errors"
	"fmt"
	"testing"
)

func TestErrorTexts(t *testing.T) {
	lost := errors.New("connection reset")
	for want, err := range map[string]error{
		"S3_ERROR: get a/b":                 s3Failure("get", "a/b", lost),
		`S3_ERROR: list \u0000\u001f\u0085`: s3Failure("list", "\x00\x1f\u0085", lost),
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
