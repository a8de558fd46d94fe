package aggregator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func testAttempts(concurrency int) (*Attempts, *bytes.Buffer) {
	log := &bytes.Buffer{}
	requests := NewAttempts(nil, concurrency, NewJournal(log, 0, testRequestID))
	return requests, log
}

func TestAttempts(t *testing.T) {
	lost := errors.New("connection reset")
	for name, c := range map[string]struct {
		failure  error
		times    int
		attempts int
		want     string
	}{
		"500 four times": {refusal(500, "x"), 4, 5, ""},
		"503 always":     {refusal(503, "x"), 99, 5, "S3_ERROR: get k (x)"},
		"SlowDown":       {refusal(503, "SlowDown"), 9, 10, ""},
		"408":            {refusal(408, "x"), 1, 2, ""},
		"429":            {refusal(429, "x"), 1, 2, ""},
		"301":            {refusal(301, "x"), 1, 1, "S3_ERROR: get k (x)"},
		"409":            {refusal(409, "x"), 1, 2, ""},
		"400":            {refusal(400, "x"), 1, 1, "S3_ERROR: get k (x)"},
		"400, time-out":  {refusal(400, "RequestTimeout"), 1, 2, ""},
		"412":            {refusal(412, "x"), 1, 1, "S3_ERROR: get k (x)"},
		"403":            {refusal(403, ""), 1, 1, "S3_ERROR: get k"},
		"404":            {refusal(404, "x"), 1, 1, "S3_ERROR: get k (x)"},
		"lost once":      {lost, 1, 2, ""},
		"lost always":    {lost, 99, 5, "S3_ERROR: get k"},
	} {
		requests, log := testAttempts(1)
		attempts := 0
		var err error
		synctest.Test(t, func(t *testing.T) {
			err = requests.request(t.Context(), "get", "k", func() error {
				if attempts++; attempts <= c.times {
					return c.failure
				}
				return nil
			})
		})
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: error is %v, expected %q", name, err, c.want)
		}
		if attempts != c.attempts {
			t.Errorf("%s: %d attempts, expected %d", name, attempts, c.attempts)
		}
		if logged := strings.Count(log.String(), `"event":"retry"`); logged != c.attempts-1 {
			t.Errorf("%s: %d retries are logged", name, logged)
		}
	}
}

func TestAMissingKeyIsAFaultOfGetOnly(t *testing.T) {
	store := newMemoryStore(testSource)
	requests := store.requests()
	if _, _, err := requests.Get(t.Context(), testSource, "k", 1); !errors.Is(err, Missing) {
		t.Errorf("get gives %v", err)
	}
	_, _, err := requests.Get(t.Context(), "no-bucket", "k", 1)
	if err == nil || err.Error() != "S3_ERROR: get k (NoSuchBucket)" {
		t.Errorf("get from a missing bucket gives %v", err)
	}
	err = requests.Copy(t.Context(), testSource, "k", "to")
	if err == nil || err.Error() != "S3_ERROR: copy to (NoSuchKey)" {
		t.Errorf("copy gives %v", err)
	}
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	requests, _ := testAttempts(4)
	var now, most atomic.Int64
	var group sync.WaitGroup
	for _, phase := range []Phase{PhaseList, PhaseGet} { // both have the same gate
		for range 20 {
			group.Go(func() {
				_ = requests.Timed(phase).request(t.Context(), "get", "k", func() error {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(2 * time.Millisecond)
					now.Add(-1)
					return nil
				})
			})
		}
	}
	group.Wait()
	if most.Load() > 4 {
		t.Errorf("%d requests in flight", most.Load())
	}
}

func TestAnEndedContextWins(t *testing.T) {
	requests, log := testAttempts(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	err := requests.request(ctx, "get", "k", func() error {
		cancel(errOutOfTime)
		return io.ErrUnexpectedEOF
	})
	if !errors.Is(err, errOutOfTime) || log.Len() > 0 {
		t.Errorf("error is %v, log %s", err, log)
	}
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		requests := NewAttempts(nil, 1, quiet())
		_ = requests.request(t.Context(), "get", "k", func() error {
			starts = append(starts, time.Now())
			return io.ErrUnexpectedEOF
		})
		for n := range maxAttempts - 1 {
			delay, most := starts[n+1].Sub(starts[n]), 100*time.Millisecond<<n
			if delay < most/2 || delay > most {
				t.Errorf("delay %d is %v", n+1, delay)
			}
		}
	})
}

func TestAFaultIsAnAnswer(t *testing.T) {
	made := 0
	requests := NewAttempts(nil, 1, quiet())
	err := requests.request(t.Context(), "get", "k", func() error { made++; return Missing })
	if !errors.Is(err, Missing) || made != 1 {
		t.Errorf("error is %v after %d attempts", err, made)
	}
}

// An ended context also ends the wait for a place and the one before a further attempt.
func TestAnEndedContextEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx := newTimeLimit(t.Context(), began.Add(10*time.Millisecond))
		defer ctx.timer.Stop()
		requests := NewAttempts(nil, 1, quiet())
		failing := func() error { return io.ErrUnexpectedEOF }
		if err := requests.request(ctx, "get", "k", failing); !errors.Is(err, errOutOfTime) {
			t.Errorf("error of a delay is %v", err)
		}
		if waited := time.Since(began); waited != 9*time.Millisecond {
			t.Errorf("waited for %v", waited)
		}
		check(t, requests.gate.places.Acquire(t.Context(), 1)) // the only one
		if err := requests.request(ctx, "get", "k", failing); !errors.Is(err, errOutOfTime) {
			t.Errorf("error of a wait for a place is %v", err)
		}
	})
}

// A request's time is that from its first attempt on: neither the wait for the place nor a
// request that never got one is counted, failed ones are (O3).
func TestTheClockStartsInTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		journal := NewJournal(io.Discard, 0, testRequestID)
		requests := NewAttempts(nil, 1, journal)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				_ = requests.Timed(PhaseGet).request(ctx, "get", "k", func() error {
					time.Sleep(time.Second)
					return Missing
				})
			})
		}
		group.Wait()
		if got := journal.sums[PhaseGet]; got.count != 3 || got.elapsed != 3*time.Second {
			t.Errorf("%d requests took %v", got.count, got.elapsed)
		}
	})
}

// E8: the pauses are 1, 2, 4, 4 seconds, and SlowDown is none of the five attempts.
func TestPausesAfterSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		requests := NewAttempts(nil, 1, quiet())
		check(t, requests.request(t.Context(), "get", "k", func() error {
			starts = append(starts, time.Now())
			switch len(starts) {
			case 8:
				return nil
			case 2, 4: // failed attempts between them have their own pauses
				return io.ErrUnexpectedEOF
			}
			return refusal(503, "SlowDown")
		}))
		const ms = time.Millisecond
		for n, most := range []time.Duration{
			1000 * ms, 100 * ms, 2000 * ms, 200 * ms, 4000 * ms, 4000 * ms, 4000 * ms,
		} {
			if pause := starts[n+1].Sub(starts[n]); pause < most/2 || pause > most {
				t.Errorf("pause %d is %v", n+1, pause)
			}
		}
	})
}

// E8: a SlowDown halves the requests in flight, down to one; each success allows one more.
func TestSlowDownNarrowsTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := NewAttempts(nil, 8, quiet())
		var inFlight atomic.Int64
		answers := make(chan error)
		for range 50 {
			go func() {
				_ = requests.request(t.Context(), "get", "k", func() error {
					inFlight.Add(1)
					defer inFlight.Add(-1)
					return <-answers
				})
			}()
		}
		slow := refusal(503, "SlowDown")
		for n, c := range []struct {
			answer error
			want   int64
		}{
			{nil, 8}, {slow, 4}, {slow, 2}, {nil, 3}, {nil, 4}, {Missing, 4}, {io.ErrUnexpectedEOF, 4},
			{slow, 2}, {slow, 1}, {slow, 1}, {nil, 2}, {nil, 3}, {nil, 4}, {nil, 5}, {nil, 6},
			{nil, 7}, {nil, 8}, {nil, 8},
		} {
			synctest.Wait()
			answers <- c.answer
			synctest.Wait()
			for inFlight.Load() > c.want { // those that were in flight may end
				answers <- Missing
				synctest.Wait()
			}
			if inFlight.Load() != c.want {
				t.Errorf("answer %d: %d in flight, expected %d", n, inFlight.Load(), c.want)
			}
		}
		close(answers)
	})
}

// E5: while a run publishes, a request fails before the last second of the invocation's time: with
// S3's code if it was to pause, and without one if it waits for an answer or for its place.
func TestRequestsEndBeforeTheTimeDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := NewAttempts(nil, 1, quiet())
		slow := func() error { return refusal(503, "SlowDown") }
		start := time.Now()
		ctx, cancel := publishing(t.Context(), start.Add(10*time.Second))
		defer cancel()
		err := requests.request(ctx, "copy", "k", slow)
		if err == nil || err.Error() != "S3_ERROR: copy k (SlowDown)" {
			t.Errorf("publishing gives %v", err)
		}
		if took := time.Since(start); took < 4*time.Second || took >= 9*time.Second {
			t.Errorf("a request that pauses took %v", took)
		}
		silent := func() error { <-ctx.Done(); return ctx.Err() }
		for _, key := range []string{"k", "l"} {
			err := sideBySide(ctx, []string{key}, func(ctx context.Context, key string) error {
				return requests.request(ctx, "copy", key, silent)
			})
			if err == nil || err.Error() != "S3_ERROR: copy "+key {
				t.Errorf("a request without an answer gives %v", err)
			}
			if took := time.Since(start); took != 9*time.Second {
				t.Errorf("it took %v", took)
			}
		}
		limited := newTimeLimit(t.Context(), time.Now().Add(2*time.Second))
		defer limited.timer.Stop()
		if err := requests.request(limited, "get", "k", slow); !errors.Is(err, errOutOfTime) {
			t.Errorf("reading gives %v", err)
		}
	})
}
