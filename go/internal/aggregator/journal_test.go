package aggregator

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJournalLine(t *testing.T) {
	var out bytes.Buffer
	NewJournal(&out, slog.LevelInfo, "id").Warn("bad_source", "key", "a<\n", "code", BadGzip)
	want := `{"level":"WARN","event":"bad_source","request_id":"id",` +
		`"key":"a<\n","code":"BAD_GZIP"}` + "\n"
	if out.String() != want {
		t.Errorf("line is %s, expected %s", out.String(), want)
	}
}

func TestJournalHidesLowerLevels(t *testing.T) {
	var out bytes.Buffer
	journal := NewJournal(&out, slog.LevelError, "id")
	journal.Warn("retry")
	journal.End(&Result{}, nil)
	if out.Len() > 0 {
		t.Errorf("log is %s", out.String())
	}
	journal.End(nil, failure(NoTrail, "x"))
	if !strings.HasPrefix(
		out.String(),
		`{"level":"ERROR","event":"end","request_id":"id","error":"NO_TRAIL: x",`+
			`"cause":null,"result":null,`,
	) {
		t.Errorf("log is %s", out.String())
	}
}

func TestJournalEnd(t *testing.T) {
	var out bytes.Buffer
	journal := NewJournal(&out, slog.LevelInfo, "id")
	journal.Add(PhaseGet, 2, time.Now())
	journal.Add(PhaseGet, 1, time.Now())
	journal.Waited(time.Now())
	journal.End(&Result{Day: "2024-02-08"}, nil)
	want := regexp.MustCompile(
		`^\{"level":"INFO","event":"end","request_id":"id","error":null,"cause":null,` +
			`"result":\{"day":"2024-02-08","sources":0,"bad":0,"records":0,"bytes":0,` +
			`"chunks":0,"deleted":0\},` +
			`"phases":\{"list":\{"count":0,"sum_ms":0\},"get":\{"count":3,"sum_ms":\d+\},` +
			`"decode":\{.*\},"compress":\{.*\},` +
			`"put":\{.*\},"publish":\{.*\}\},"wait_ms":\d+\}\n$`,
	)
	if !want.MatchString(out.String()) {
		t.Errorf("line is %s", out.String())
	}
}

func TestJournalEndGivesTheCause(t *testing.T) {
	var out bytes.Buffer
	NewJournal(&out, slog.LevelInfo, "id").End(nil, s3Failure("get", "k", errors.New("short body")))
	if !strings.Contains(out.String(), `"error":"S3_ERROR: get k","cause":"short body"`) {
		t.Errorf("line is %s", out.String())
	}
}

func TestJournalSumsTheWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		journal := NewJournal(&out, slog.LevelInfo, "id")
		for range 2 {
			started := time.Now()
			time.Sleep(20 * time.Millisecond)
			journal.Waited(started)
		}
		journal.End(&Result{}, nil)
		if !strings.HasSuffix(out.String(), `"wait_ms":40}`+"\n") {
			t.Errorf("line is %s", out.String())
		}
	})
}

// quiet is a journal for tests that don't look at it.
func quiet() *Journal { return NewJournal(&bytes.Buffer{}, slog.LevelError, testRequestID) }
