package aggregator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

const testPrefix = "p/2024/02/08/"

// twoChunks is a writer that has put two hidden chunks of one source.
func twoChunks(t *testing.T) (*Writer, map[string][]byte, *memoryStore) {
	w, written, store := testWriter(1)
	check(t, w.Add(t.Context(), []byte("a\nb\n")))
	store.calls = nil
	return w, written, store
}

func TestPublishInOrder(t *testing.T) {
	w, written, store := twoChunks(t)
	store.pageSize = 1
	kept := []string{"000003.ndjson", "0000003.ndjson.gz", "x-000003.ndjson.gz", "deeper/000003.ndjson.gz", "_x-3.ndjson.gz", "_000009.ndjson.gz"}
	for _, name := range slices.Concat(kept, []string{
		"000003.ndjson.gz", "1000000.ndjson.gz", "99999999999999999999.ndjson.gz", "_dead\n-000001.ndjson.gz", "_a-b-1000000.ndjson.gz",
	}) {
		written[testPrefix+name] = []byte("old")
	}
	result := &Result{Day: "2024-02-08", Sources: 1, Chunks: 2}
	check(t, w.Publish(t.Context(), t.Context(), result, false))
	var calls []string
	for _, call := range store.calls {
		if operation, name, _ := strings.Cut(call, " "+testPrefix); operation != "list" {
			calls = append(calls, operation+" "+name)
		}
	}
	slices.Sort(calls[3:6]) // deletions are concurrent
	slices.Sort(calls[7:])
	want := []string{
		"get _manifest.json", "copy 000002.ndjson.gz", "copy 000001.ndjson.gz",
		"delete 000003.ndjson.gz", "delete 1000000.ndjson.gz", "delete 99999999999999999999.ndjson.gz", "put _manifest.json",
		"delete _a-b-1000000.ndjson.gz", "delete _dead\n-000001.ndjson.gz",
		"delete _test-request-000001.ndjson.gz", "delete _test-request-000002.ndjson.gz",
	}
	if !slices.Equal(calls, want) {
		t.Errorf("requests are %q, expected %q", calls, want)
	}
	names := slices.Sorted(maps.Keys(written))
	for i := range kept {
		kept[i] = testPrefix + kept[i]
	}
	kept = slices.Sorted(slices.Values(append(kept, testPrefix+"000001.ndjson.gz", testPrefix+"000002.ndjson.gz", testPrefix+"_manifest.json")))
	if !slices.Equal(names, kept) {
		t.Errorf("left are %q, expected %q", names, kept)
	}
	manifest := `{"result":{"day":"2024-02-08","sources":1,"bad":0,"records":0,"bytes":0,"chunks":2,"deleted":3},` +
		`"chunks":[{"key":"p/2024/02/08/000001.ndjson.gz","records":1,"bytes":2},{"key":"p/2024/02/08/000002.ndjson.gz","records":1,"bytes":2}]}`
	if got := string(written[testPrefix+manifestName]); got != manifest {
		t.Errorf("manifest is %s", got)
	}
}

func TestPublishChecksTheManifest(t *testing.T) {
	const bad = "BAD_MANIFEST: p/2024/02/08/_manifest.json"
	for manifest, want := range map[string]string{
		`{"result":{"sources":3,"bad":1}}`:                                  "",
		`{"result":{"sources":2.0,"bad":0e9},"x":1e400}`:                    "",
		`{"result":{"sources":3,"bad":0}}`:                                  "FEWER_SOURCES: published 3, readable 2",
		`{"result":{"sources":9007199254740992,"bad":0}}`:                   "FEWER_SOURCES: published 9007199254740992, readable 2",
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
		w, written, _ := twoChunks(t)
		written[testPrefix+manifestName] = []byte(manifest)
		result := &Result{Sources: 3, Bad: 1}
		err := w.Publish(t.Context(), t.Context(), result, false)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%.99q gives %v, expected %q", manifest, err, want)
		}
		if published := written[testPrefix+"000001.ndjson.gz"] != nil; published != (want == "") {
			t.Errorf("%q: published %v", manifest, published)
		}
		if err := w.Publish(t.Context(), t.Context(), result, true); want != "" && err != nil {
			t.Errorf("%q with force gives %v", manifest, err)
		}
	}
}

func TestNothingIsPublishedWhenTheTimeIsUp(t *testing.T) {
	w, written, store := twoChunks(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	store.before = func(context.Context, string, string) error {
		cancel(errOutOfTime) // while the manifest is read
		return nil
	}
	if err := w.Publish(ctx, t.Context(), &Result{}, false); !errors.Is(err, errOutOfTime) || len(written) != 2 {
		t.Errorf("error is %v, written %q", err, slices.Sorted(maps.Keys(written)))
	}
}

func TestPublishingGoesOnAfterTheFirstCopy(t *testing.T) {
	w, written, store := twoChunks(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	store.before = func(_ context.Context, operation, _ string) error {
		if operation == "copy" {
			cancel(errOutOfTime)
		}
		return nil
	}
	if err := w.Publish(ctx, t.Context(), &Result{}, false); err != nil || len(written) != 3 {
		t.Errorf("error is %v, written %q", err, slices.Sorted(maps.Keys(written)))
	}
}

// ended is a context whose time is up.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errOutOfTime)
	return ctx
}
