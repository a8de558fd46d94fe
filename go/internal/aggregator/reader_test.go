package aggregator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func testReader(concurrency int) (*Reader, *memoryStore) {
	store := newMemoryStore(testSource)
	config := Config{SourceBucket: testSource, Concurrency: concurrency, MaxSourceBytes: 1 << 30}
	return NewReader(store.requests(), config, quiet()), store
}

// listed gives n sources of a listed size each; the bodies are their keys.
func listed(store *memoryStore, n int, size int64) iter.Seq2[Listed, error] {
	var sources []Object
	for i := range n {
		key := fmt.Sprintf("%04d", i)
		store.buckets[testSource][key] = []byte(key)
		sources = append(sources, Object{key, size})
	}
	return func(yield func(Listed, error) bool) { yield(Listed{sources, func() {}}, nil) }
}

// TestPagesAreBoundedWhileASourceStalls: what is in the window was listed, too (P4).
func TestPagesAreBoundedWhileASourceStalls(t *testing.T) {
	for name, c := range map[string]struct {
		concurrency, folders, perFolder, gets int
	}{
		"a source per folder":     {64, 74, 1, 11},
		"few requests":            {4, 74, 1, 4},
		"several pages a folder":  {64, 30, 3, 2},
		"all pages in one folder": {64, 1, 74, 11},
	} {
		synctest.Test(t, func(t *testing.T) {
			lister, store := testLister()
			store.pageSize = 1
			for i := range c.folders {
				for j := range c.perFolder {
					store.buckets[testSource][fmt.Sprintf("%s%02d%s%02d", one, i, today, j)] = nil
				}
			}
			config := Config{SourceBucket: testSource, Concurrency: c.concurrency, MaxSourceBytes: 1}
			reader := NewReader(store.requests(), config, quiet())
			var pages, gets atomic.Int64
			proceed := make(chan struct{})
			store.before = func(_ context.Context, operation, key string) error {
				if operation == "get" {
					gets.Add(1)
					<-proceed
				} else if strings.HasSuffix(key, today) {
					pages.Add(1)
				}
				return nil
			}
			go func() {
				synctest.Wait()
				if pages.Load() != 11 || gets.Load() < int64(c.gets) {
					t.Errorf("%s: %d pages listed, %d requests in flight", name, pages.Load(), gets.Load())
				}
				close(proceed)
			}()
			n := 0
			for _, err := range reader.Bodies(t.Context(), lister.Pages(t.Context(), testDay)) {
				check(t, err)
				synctest.Wait()
				if ahead := pages.Load() - int64(n+1); ahead > pagesAhead {
					t.Errorf("%s: %d pages ahead of source %d", name, ahead, n)
				}
				n++
			}
			if n != c.folders*c.perFolder {
				t.Errorf("%s: %d sources", name, n)
			}
		})
	}
}

// TestEmptyPagesCount: folders without sources are not listed far ahead either.
func TestEmptyPagesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lister, store := testLister(one+"00"+today+"1", one+"99"+today+"1")
		for i := range 98 {
			store.buckets[testSource][fmt.Sprintf("%s%02d%s", one, i+1, today)] = nil // a marker
		}
		config := Config{SourceBucket: testSource, Concurrency: 4, MaxSourceBytes: 1}
		reader := NewReader(store.requests(), config, quiet())
		var pages atomic.Int64
		store.before = func(_ context.Context, _, key string) error {
			if strings.HasSuffix(key, today) {
				pages.Add(1)
			}
			return nil
		}
		var seen []int64
		for _, err := range reader.Bodies(t.Context(), lister.Pages(t.Context(), testDay)) {
			check(t, err)
			synctest.Wait()
			seen = append(seen, pages.Load())
		}
		if !slices.Equal(seen, []int64{11, 100}) {
			t.Errorf("pages listed by source: %d", seen)
		}
	})
}

func TestBodiesComeInOrder(t *testing.T) {
	reader, store := testReader(7)
	sources := listed(store, 100, 1)
	delete(store.buckets[testSource], "0042")
	store.before = func(context.Context, string, string) error {
		time.Sleep(rand.N(time.Millisecond))
		return nil
	}
	n := 0
	for source, err := range reader.Bodies(t.Context(), sources) {
		check(t, err)
		if want := fmt.Sprintf("%04d", n); source.Key != want {
			t.Errorf("source %d is %s", n, source.Key)
		} else if n == 42 && !errors.Is(source.Fault, Missing) || n != 42 && string(source.Body) != want {
			t.Errorf("source %d is %+v", n, source)
		}
		n++
	}
	if n != 100 {
		t.Errorf("%d sources", n)
	}
}

func TestWindowIsBounded(t *testing.T) {
	for _, c := range []struct {
		concurrency, most int
		size              int64
	}{
		{7, 7, 1}, {1, 1, 1}, {7, 2, 30 << 20}, {7, 1, 65 << 20},
	} {
		synctest.Test(t, func(t *testing.T) {
			reader, store := testReader(c.concurrency)
			sources := listed(store, 30, c.size)
			var asked atomic.Int64
			store.before = func(context.Context, string, string) error { asked.Add(1); return nil }
			written, held := 0, 0
			for _, err := range reader.Bodies(t.Context(), sources) {
				check(t, err)
				synctest.Wait() // until all requests that have room are made
				held = max(held, int(asked.Load())-written)
				written++
			}
			if held != c.most || written != 30 {
				t.Errorf("%+v: %d sources held, %d written", c, held, written)
			}
		})
	}
}

// TestWaitsAreCounted: the consumer's, whatever the requests beside it (O4).
func TestWaitsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, store := testReader(2)
		sources := listed(store, 3, 1)
		store.before = func(context.Context, string, string) error {
			time.Sleep(time.Second)
			return nil
		}
		for _, err := range reader.Bodies(t.Context(), sources) {
			check(t, err)
		}
		if reader.journal.waited != 2*time.Second {
			t.Errorf("the consumer waited for %v", reader.journal.waited)
		}
	})
}

func TestTooLargeIsNotAskedFor(t *testing.T) {
	reader, store := testReader(2)
	reader.limit = 9
	for source, err := range reader.Bodies(t.Context(), listed(store, 3, 10)) {
		check(t, err)
		if !errors.Is(source.Fault, TooLarge) {
			t.Errorf("fault is %v", source.Fault)
		}
	}
	if len(store.calls) > 0 {
		t.Errorf("requests: %q", store.calls)
	}
}

func TestReadingEndsWithTheFirstFailure(t *testing.T) {
	reader, store := testReader(4)
	sources := listed(store, 100, 1)
	store.faults = []memoryFault{{"get", "0003", "AccessDenied", 403}}
	var failed error
	for _, err := range reader.Bodies(t.Context(), sources) {
		failed = err
	}
	if failed == nil || failed.Error() != "S3_ERROR: get 0003 (AccessDenied)" {
		t.Errorf("error is %v", failed)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	reader, store := testReader(4)
	sources := listed(store, 100, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	store.before = func(ctx context.Context, _, key string) error {
		if key == "0005" {
			cancel(errOutOfTime)
			<-ctx.Done() // a request that hangs
			return context.Cause(ctx)
		}
		return nil
	}
	var failed error
	for _, err := range reader.Bodies(ctx, sources) {
		failed = err
	}
	if !errors.Is(failed, errOutOfTime) {
		t.Errorf("error is %v", failed)
	}
}

func TestReadingCatchesPanics(t *testing.T) {
	reader, store := testReader(4)
	store.before = func(context.Context, string, string) error { panic("boom") }
	for _, err := range reader.Bodies(t.Context(), listed(store, 5, 1)) {
		if err == nil || asError(err).Code != Internal {
			t.Errorf("error is %v", err)
		}
	}
}

// R9: an archived source is a bad source; an archived manifest is not.
func TestAnArchivedSourceIsAFault(t *testing.T) {
	reader, store := testReader(1)
	pages := listed(store, 1, 1)
	store.faults = []memoryFault{{"get", "0000", "InvalidObjectState", 403}}
	for source, err := range reader.Bodies(t.Context(), pages) {
		if err != nil || !errors.Is(source.Fault, Archived) {
			t.Errorf("source is %v %v", source.Fault, err)
		}
	}
	_, _, err := store.requests().Get(t.Context(), testSource, "0000", 1)
	if err == nil || err.Error() != "S3_ERROR: get 0000 (InvalidObjectState)" {
		t.Errorf("error is %v", err)
	}
}
