package aggregator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testPrefix = "p/2024/02/08/"

// twoChunks is a publisher, and the two hidden chunks that a writer has put for it.
func twoChunks(t *testing.T) (*Publisher, []Chunk, *memoryStore) {
	w, _, store := testWriter(1)
	check(t, w.Add(t.Context(), []byte("a\nb\n")))
	store.calls = nil
	return NewPublisher(store.requests(), writerConfig, testDay), w.Chunks(), store
}

func TestPublishInOrder(t *testing.T) {
	publisher, chunks, store := twoChunks(t)
	written := store.buckets[testDestination]
	store.pageSize = 1
	kept := []string{
		"000003.ndjson",
		"0000003.ndjson.gz",
		"x-000003.ndjson.gz",
		"deeper/000003.ndjson.gz",
		"_x-3.ndjson.gz",
		"_000009.ndjson.gz",
	}
	for _, name := range slices.Concat(kept, []string{
		"000001.ndjson.gz", "000002.ndjson.gz", // are replaced, the next three deleted
		"000003.ndjson.gz", "1000000.ndjson.gz", "99999999999999999999.ndjson.gz",
		"_dead\n-000001.ndjson.gz", "_a-b-1000000.ndjson.gz",
	}) {
		written[testPrefix+name] = []byte("old")
	}
	result := &Result{Day: "2024-02-08", Sources: 1, Chunks: 2}
	check(t, publisher.Check(t.Context(), 1, false))
	check(t, publisher.Publish(t.Context(), chunks, result))
	var calls []string
	for _, call := range store.calls {
		if operation, name, _ := strings.Cut(call, " "+testPrefix); operation != "list" {
			calls = append(calls, operation+" "+name)
		}
	}
	slices.Sort(calls[3:6]) // deletions are concurrent
	slices.Sort(calls[7:])
	want := []string{
		"get _manifest.json",
		"copy 000002.ndjson.gz",
		"copy 000001.ndjson.gz",
		"delete 000003.ndjson.gz",
		"delete 1000000.ndjson.gz",
		"delete 99999999999999999999.ndjson.gz",
		"put _manifest.json",
		"delete _a-b-1000000.ndjson.gz",
		"delete _dead\n-000001.ndjson.gz",
		"delete _test-request-000001.ndjson.gz",
		"delete _test-request-000002.ndjson.gz",
	}
	if !slices.Equal(calls, want) {
		t.Errorf("requests are %q, expected %q", calls, want)
	}
	names := slices.Sorted(maps.Keys(written))
	for i := range kept {
		kept[i] = testPrefix + kept[i]
	}
	kept = slices.Sorted(
		slices.Values(
			append(
				kept,
				testPrefix+"000001.ndjson.gz",
				testPrefix+"000002.ndjson.gz",
				testPrefix+"_manifest.json",
			),
		),
	)
	if !slices.Equal(names, kept) {
		t.Errorf("left are %q, expected %q", names, kept)
	}
	manifest := `{"result":{"day":"2024-02-08","sources":1,"bad":0,"records":0,"bytes":0,` +
		`"chunks":2,"deleted":3},` +
		`"chunks":[{"key":"p/2024/02/08/000001.ndjson.gz","records":1,"bytes":2},` +
		`{"key":"p/2024/02/08/000002.ndjson.gz","records":1,"bytes":2}]}`
	if got := string(written[testPrefix+manifestName]); got != manifest {
		t.Errorf("manifest is %s", got)
	}
}

// W4: chunks that are not published yet come first and at once, then the others downwards.
func TestNewChunksAreCopiedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, store := testWriter(1)
		check(t, w.Add(t.Context(), []byte("a\nb\nc\nd\ne\n")))
		for _, name := range []string{"000001.ndjson.gz", "000002.ndjson.gz", "000004.ndjson.gz"} {
			store.buckets[testDestination][testPrefix+name] = []byte("old")
		}
		var mutex sync.Mutex
		var copies []string
		began := time.Now()
		store.before = func(_ context.Context, operation, key string) error {
			if operation == "copy" {
				time.Sleep(time.Second)
				name := strings.TrimPrefix(key, testPrefix)
				mutex.Lock()
				defer mutex.Unlock()
				copies = append(copies, fmt.Sprintf("%v %.6s", time.Since(began), name))
			}
			return nil
		}
		publisher := NewPublisher(NewAttempts(store, 1<<8, quiet()), writerConfig, testDay)
		check(t, publisher.Publish(t.Context(), w.Chunks(), &Result{}))
		slices.Sort(copies[:2])
		want := []string{"1s 000003", "1s 000005", "2s 000004", "3s 000002", "4s 000001"}
		if !slices.Equal(copies, want) {
			t.Errorf("copies are %q, expected %q", copies, want)
		}
	})
}

func TestPublishChecksTheManifest(t *testing.T) {
	const bad = "BAD_MANIFEST: p/2024/02/08/_manifest.json"
	for manifest, want := range map[string]string{
		`{"result":{"sources":3,"bad":1}}`:               "",
		`{"result":{"sources":2.0,"bad":0e9},"x":1e400}`: "",
		`{"result":{"sources":3,"bad":0}}`:               "FEWER_SOURCES: published 3, readable 2",
		`{"result":{"sources":9007199254740992,"bad":0}}`: "FEWER_SOURCES: " +
			"published 9007199254740992, readable 2",
		`{"result":{"sources":9007199254740994,"bad":0}}`:                   bad,
		`{"result":{"sources":0,"bad":9007199254740994}}`:                   bad,
		`{"result":{"sources":1e400,"bad":0}}`:                              bad,
		`{"result":{"sources":2,"bad":0}}` + strings.Repeat(" ", 64<<20-32): "",
		`{"result":{"sources":2,"bad":0}}` + strings.Repeat(" ", 64<<20-31): bad,
		``:                                   bad,
		`[]`:                                 bad,
		`null`:                               bad,
		`{"Result":{"sources":3,"bad":1}}`:   bad,
		`{"result":{"sources":3}}`:           bad,
		`{"result":{"sources":"3","bad":1}}`: bad,
		`{"result":{"sources":3.5,"bad":1}}`: bad,
		`{"result":{"sources":3,"bad":-1}}`:  bad,
		`{"result":{"sources":3,"bad":1}} x`: bad,
		"\ufeff" + `{"result":{"sources":3,"bad":1}}`:       bad,
		`{"result":{"sources":3,"bad":1},"x":"` + "\xff\"}": bad,
	} {
		publisher, _, store := twoChunks(t)
		store.buckets[testDestination][testPrefix+manifestName] = []byte(manifest)
		err := publisher.Check(t.Context(), 2, false)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.99q gives %v, expected %q", manifest, err, want)
		}
		if err := publisher.Check(t.Context(), 2, true); want != "" && err != nil {
			t.Errorf("%q with force gives %v", manifest, err)
		}
		if calls := strings.Join(store.calls, ", "); strings.Count(calls, "get ") != len(store.calls) {
			t.Errorf("requests are %s", calls)
		}
	}
}

func TestTheTimeCanBeUpWhileTheManifestIsRead(t *testing.T) {
	for _, force := range []bool{false, true} {
		publisher, _, store := twoChunks(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		store.before = func(context.Context, string, string) error {
			cancel(errOutOfTime)
			return nil
		}
		if err := publisher.Check(ctx, 0, force); !errors.Is(err, errOutOfTime) {
			t.Errorf("error is %v", err)
		}
	}
}

// ended is a context whose time is up.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errOutOfTime)
	return ctx
}
