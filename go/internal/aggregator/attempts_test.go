package aggregator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttempts(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		hangUp := func(w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}
		short := func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "four")
		}
		status := func(status int) func(http.ResponseWriter) {
			return func(w http.ResponseWriter) { refuse(w, status, "Scripted") }
		}
		for name, c := range map[string]struct {
			fail     func(http.ResponseWriter)
			times    int
			attempts int
			want     string
		}{
			"500 four times": {status(500), 4, 5, ""},
			"503 always":     {status(503), 99, 5, "S3_ERROR: get k"},
			"408, 429":       {status(408), 1, 2, ""},
			"429":            {status(429), 1, 2, ""},
			"400":            {status(400), 1, 1, "S3_ERROR: get k"},
			"403":            {status(403), 1, 1, "S3_ERROR: get k"},
			"404":            {status(404), 1, 1, "S3_ERROR: get k"},
			"short once":     {short, 1, 2, ""},
			"short always":   {short, 99, 5, "S3_ERROR: get k"},
			"hang up always": {hangUp, 99, 5, "S3_ERROR: get k"},
		} {
			var attempts atomic.Int64
			store, log := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
				isFirst := strings.HasSuffix(r.URL.Path, "/first")
				if !isFirst && attempts.Add(1) <= int64(c.times) {
					c.fail(w)
				}
			})
			// an answered request leaves a connection on which net/http would try again unasked
			_, err := store.Get(t.Context(), "bucket", "first", 100)
			check(t, err)
			_, err = store.Get(t.Context(), "bucket", "k", 100)
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("%s: error is %v, expected %q", name, err, c.want)
			}
			if attempts.Load() != int64(c.attempts) {
				t.Errorf("%s: %d attempts, expected %d", name, attempts.Load(), c.attempts)
			}
			if logged := strings.Count(log.String(), `"event":"retry"`); logged != c.attempts-1 {
				t.Errorf("%s: %d retries are logged", name, logged)
			}
		}
	})
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		var now, most atomic.Int64
		store, _ := serve(t, client, func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(2 * time.Millisecond)
			now.Add(-1)
		})
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() { _, _ = store.Get(t.Context(), "bucket", "k", 0) })
		}
		group.Wait()
		if most.Load() > 4 {
			t.Errorf("%d requests in flight", most.Load())
		}
	})
}

func TestAnEndedContextWins(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store, log := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "four")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // stalls in the middle of the body
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errOutOfTime)
		defer cancel()
		if _, err := store.Get(ctx, "bucket", "k", 100); !errors.Is(err, errOutOfTime) || log.Len() > 0 {
			t.Errorf("error is %v, log %s", err, log)
		}
	})
}

func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		requests := newAttempts(1, NewJournal(io.Discard, 0, testRequestID))
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
	requests := newAttempts(1, NewJournal(io.Discard, 0, testRequestID))
	err := requests.request(t.Context(), "get", "k", func() error { made++; return Missing })
	if !errors.Is(err, Missing) || made != 1 {
		t.Errorf("error is %v after %d attempts", err, made)
	}
}

// An ended context also ends the wait for a slot and the one before a further attempt.
func TestAnEndedContextEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errOutOfTime)
		defer cancel()
		requests := newAttempts(1, NewJournal(io.Discard, 0, testRequestID))
		failing := func() error { return io.ErrUnexpectedEOF }
		if err := requests.request(ctx, "get", "k", failing); !errors.Is(err, errOutOfTime) {
			t.Errorf("error of a delay is %v", err)
		}
		if waited := time.Since(began); waited != 10*time.Millisecond {
			t.Errorf("waited for %v", waited)
		}
		requests.slots <- struct{}{} // the only one
		if err := requests.request(ctx, "get", "k", failing); !errors.Is(err, errOutOfTime) {
			t.Errorf("error of a wait for a slot is %v", err)
		}
	})
}

// A request's time is that from its first attempt on: neither the wait for the slot nor a
// request that never got one is counted, failed ones are (O3).
func TestTheClockStartsInTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		journal := NewJournal(io.Discard, 0, testRequestID)
		requests := newAttempts(1, journal)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				timed, ended := journal.Request(ctx, PhaseGet)
				defer ended()
				_ = requests.request(timed, "get", "k", func() error {
					time.Sleep(time.Second)
					return Missing
				})
			})
		}
		group.Wait()
		if got := journal.phases[PhaseGet]; got.count != 3 || got.elapsed != 3*time.Second {
			t.Errorf("%d requests took %v", got.count, got.elapsed)
		}
	})
}
