package aggregator

import (
	"errors"
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

func TestNoChunkIsPutWhenTheTimeIsUp(t *testing.T) {
	w, written, _ := testWriter(100)
	check(t, w.Add(t.Context(), []byte("a\n")))
	if err := w.Flush(ended(t)); !errors.Is(err, errOutOfTime) || len(written) > 0 {
		t.Errorf("error is %v, written %q", err, written)
	}
}
