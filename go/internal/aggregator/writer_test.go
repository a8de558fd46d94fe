package aggregator

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
)

var writerConfig = Config{
	DestinationBucket: testDestination, DestinationPrefix: "p/", GzipLevel: 1, Concurrency: 4,
}

func testWriter(chunkBytes int) (*Writer, map[string][]byte, *memoryStore) {
	store := newMemoryStore(testDestination)
	config := writerConfig
	config.ChunkBytes = chunkBytes
	writer := NewWriter(store.requests(), config, quiet(), testDay, testRequestID)
	return writer, store.buckets[testDestination], store
}

func TestChunksCloseWithTheRecordThatFillsThem(t *testing.T) {
	for _, c := range []struct {
		chunkBytes int
		want       []string
	}{
		{1, []string{"a\n", "bb\n", "\n", "c\n"}},
		{2, []string{"a\n", "bb\n", "\nc\n"}},
		{3, []string{"a\nbb\n", "\nc\n"}},
		{5, []string{"a\nbb\n", "\nc\n"}},
		{6, []string{"a\nbb\n\n", "c\n"}},
		{8, []string{"a\nbb\n\nc\n"}},
		{9, []string{"a\nbb\n\nc\n"}},
	} {
		w, written, _ := testWriter(c.chunkBytes)
		for _, lines := range []string{"a\nbb\n", "", "\nc\n"} {
			check(t, w.Add(t.Context(), []byte(lines)))
		}
		check(t, w.Flush(t.Context()))
		check(t, w.Flush(t.Context()))
		var got []string
		for _, chunk := range w.Chunks() {
			got = append(got, string(unzip(t, written[chunk.hidden])))
		}
		if !slices.Equal(got, c.want) || len(written) != len(c.want) {
			t.Errorf("chunks of %d bytes are %q, expected %q", c.chunkBytes, got, c.want)
		}
	}
}

func TestHiddenChunk(t *testing.T) {
	w, written, _ := testWriter(3)
	check(t, w.Add(t.Context(), []byte("a\nb\nc\n")))
	check(t, w.Flush(t.Context()))
	for _, key := range []string{
		"p/2024/02/08/_test-request-000001.ndjson.gz",
		"p/2024/02/08/_test-request-000002.ndjson.gz",
	} {
		// neither name nor time, which would make equal days differ
		if body := written[key]; len(body) < 10 || !slices.Equal(body[3:8], make([]byte, 5)) {
			t.Errorf("%s begins with % x", key, body)
		}
	}
	want := []Chunk{
		{"p/2024/02/08/000001.ndjson.gz", 2, 4, "p/2024/02/08/_test-request-000001.ndjson.gz"},
		{"p/2024/02/08/000002.ndjson.gz", 1, 2, "p/2024/02/08/_test-request-000002.ndjson.gz"},
	}
	if !slices.Equal(w.Chunks(), want) {
		t.Errorf("chunks are %v, expected %v", w.Chunks(), want)
	}
}

// TestAChunkIsToldAndCounted: its line (O2), its phase (O3), and publishing's time for it (E6).
func TestAChunkIsToldAndCounted(t *testing.T) {
	var log bytes.Buffer
	w, _, _ := testWriter(3)
	w.journal = NewJournal(&log, slog.LevelDebug, testRequestID)
	var put []int
	w.afterPut = func(chunks int) { put = append(put, chunks) }
	for _, lines := range []string{"aa\nb\n", "cc\n", "\n"} {
		check(t, w.Add(t.Context(), []byte(lines)))
	}
	check(t, w.Flush(t.Context()))
	want := ""
	for n, counts := range []string{`"records":1,"bytes":3`, `"records":2,"bytes":5`,
		`"records":1,"bytes":1`} {
		want += fmt.Sprintf(`{"level":"DEBUG","event":"chunk","request_id":"test-request",`+
			`"key":"p/2024/02/08/_test-request-%06d.ndjson.gz",%s}`+"\n", n+1, counts)
	}
	if log.String() != want {
		t.Errorf("log is %s, expected %s", log.String(), want)
	}
	if compressed := w.journal.sums[PhaseCompress].count; compressed != 3 {
		t.Errorf("%d chunks are counted", compressed)
	}
	if put := w.journal.sums[PhasePut].count; put != 0 { // the store of a run counts them
		t.Errorf("%d puts are counted twice", put)
	}
	if !slices.Equal(put, []int{1, 2, 3}) {
		t.Errorf("told of %d chunks", put)
	}
}

// TestNoLineIsTakenWhenTheTimeIsUp: the time is checked in the middle of a source, too (E6).
func TestNoLineIsTakenWhenTheTimeIsUp(t *testing.T) {
	w, _, _ := testWriter(100)
	if err := w.Add(ended(t), []byte("a\n")); !errors.Is(err, errOutOfTime) {
		t.Errorf("error is %v", err)
	}
}

func TestNoChunkIsPutWhenTheTimeIsUp(t *testing.T) {
	w, written, _ := testWriter(100)
	check(t, w.Add(t.Context(), []byte("a\n")))
	if err := w.Flush(ended(t)); !errors.Is(err, errOutOfTime) || len(written) > 0 {
		t.Errorf("error is %v, written %q", err, written)
	}
}
