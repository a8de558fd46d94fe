package aggregator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var testDay = Day{Date: time.Date(2024, 2, 8, 0, 0, 0, 0, time.UTC)}

func testLister(keys ...string) (*Lister, *memoryStore) {
	store := newMemoryStore(testSource)
	for _, key := range keys {
		store.buckets[testSource][key] = nil
	}
	config := Config{SourceBucket: testSource, SourcePrefix: "p/", Concurrency: 4}
	return NewLister(store.requests(), config), store
}

func list(t *testing.T, lister *Lister, day Day) []string {
	t.Helper()
	var keys []string
	for page, err := range lister.Pages(t.Context(), day) {
		check(t, err)
		for _, source := range page.Sources {
			keys = append(keys, source.Key)
		}
		page.Passed()
	}
	return keys
}

const (
	one   = "p/AWSLogs/000000000001/CloudTrail/"
	two   = "p/AWSLogs/000000000002/CloudTrail/"
	oOne  = "p/AWSLogs/o-a1/000000000001/CloudTrail/"
	today = "/2024/02/08/"
)

func TestSourcesInByteOrderOverPages(t *testing.T) {
	want := []string{
		one + "a" + today + "1",
		one + "a" + today + "2",
		one + "a" + today + "3/deeper",
		one + "a" + today + "\uffff",
		one + "a" + today + "😀",
		one + "b" + today + "1",
		two + "\ue000" + today + "1",
		two + "😀" + today + "1",
		oOne + "a" + today + "+ %",
	}
	lister, store := testLister(slices.Concat(want, []string{
		one + "a" + today,
		one + "a/2024/02/09/1",
		"p/AWSLogs/000000000001/CloudTrail-Digest/a" + today + "1",
		"p/AWSLogs/12345/CloudTrail/a" + today + "1",
		"p/AWSLogs/o-A/000000000001/CloudTrail/a" + today + "1",
		"AWSLogs/000000000001/CloudTrail/a" + today + "1",
		"p/AWSLogs/o-a1/x/CloudTrail/a" + today + "1",
	})...)
	store.pageSize = 2
	if got := list(t, lister, testDay); !slices.Equal(got, want) {
		t.Errorf("sources are %q, expected %q", got, want)
	}
}

func TestSourcesOfOneAccount(t *testing.T) {
	day := testDay
	day.Account = "000000000001"
	lister, store := testLister(one+"a"+today+"1", two+"a"+today+"1", oOne+"a"+today+"1")
	if got := list(
		t,
		lister,
		day,
	); !slices.Equal(
		got,
		[]string{one + "a" + today + "1", oOne + "a" + today + "1"},
	) {
		t.Errorf("sources are %q", got)
	}
	if slices.ContainsFunc(
		store.calls,
		func(call string) bool { return strings.Contains(call, "000000000002") },
	) {
		t.Errorf("another account was listed: %q", store.calls)
	}
}

func TestNoTrailIsNotAnEmptyDay(t *testing.T) {
	lister, _ := testLister(one + "a/2024/02/07/1")
	if got := list(t, lister, testDay); len(got) > 0 {
		t.Errorf("sources are %q", got)
	}
	lister, _ = testLister(
		"p/AWSLogs/000000000001/CloudTrail-Digest/a"+today+"1",
		"p/AWSLogs/000000000002/Config/x",
	)
	for _, err := range lister.Pages(t.Context(), testDay) {
		if err == nil || err.Error() != "NO_TRAIL: p/AWSLogs/" {
			t.Errorf("error is %v", err)
		}
	}
}

func TestAtMostTenPagesAhead(t *testing.T) {
	var keys []string
	for _, region := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
		keys = append(keys, one+region+today+"1", one+region+today+"2", one+region+today+"3")
	}
	synctest.Test(t, func(t *testing.T) {
		lister, store := testLister(keys...)
		store.pageSize = 1
		consumed, ahead := 0, 0
		for page, err := range lister.Pages(t.Context(), testDay) {
			check(t, err)
			consumed++
			synctest.Wait() // until all pages that have room are listed
			pages := 0
			for _, call := range store.calls {
				if strings.HasSuffix(call, today) {
					pages++
				}
			}
			ahead = max(ahead, pages-consumed)
			page.Passed()
		}
		if ahead != 10 || consumed != 78 {
			t.Errorf("%d pages ahead, %d consumed", ahead, consumed)
		}
	})
}

// TestFoldersAreListedSideBySide: all of a level at once, each once.
func TestFoldersAreListedSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lister, store := testLister(one+"a"+today+"1", two+"a"+today+"1", oOne+"a"+today+"1")
		store.before = func(context.Context, string, string) error {
			time.Sleep(time.Second)
			return nil
		}
		began := time.Now()
		folders, err := lister.dayFolders(t.Context(), testDay)
		check(t, err)
		// the root, the organisation, the three trails
		if levels := time.Since(began); levels != 3*time.Second || len(store.calls) != 5 {
			t.Errorf("%v and %q for %q", levels, store.calls, folders)
		}
	})
}

func TestListingFailureNamesItsPrefix(t *testing.T) {
	lister, store := testLister(one+"a"+today+"1", one+"b"+today+"1")
	store.faults = []memoryFault{{"list", one + "b" + today, "AccessDenied", 403}}
	var failed error
	for _, err := range lister.Pages(t.Context(), testDay) {
		failed = err
	}
	if failed == nil || failed.Error() != "S3_ERROR: list "+one+"b"+today+" (AccessDenied)" {
		t.Errorf("error is %v", failed)
	}
}

func TestListingEndsWithItsContext(t *testing.T) {
	lister, store := testLister(one + "a" + today + "1")
	ctx, cancel := context.WithCancelCause(t.Context())
	store.before = func(ctx context.Context, _, prefix string) error {
		if strings.HasSuffix(prefix, today) {
			cancel(errOutOfTime)
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
	for _, err := range lister.Pages(ctx, testDay) {
		if !errors.Is(err, errOutOfTime) {
			t.Errorf("error is %v", err)
		}
	}
}
