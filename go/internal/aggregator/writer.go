// Step writer: lines become hidden chunks (SPEC C2, C3, W1, P5). What becomes of them is
// the publisher's part. Holds one compressed chunk and the name of each earlier one.

package aggregator

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Chunk is one output object as the manifest has it; bytes are those of its records.
type Chunk struct {
	Key     string `json:"key"`
	Records int    `json:"records"`
	Bytes   int    `json:"bytes"`
}

// Writer writes the chunks of one run.
type Writer struct {
	store       Store
	journal     *Journal
	bucket      string
	dayPrefix   string
	requestID   string
	chunkBytes  int
	concurrency int

	chunks     []Chunk // put, with their published keys
	open       Chunk
	compressed chunkBuffer
	gzip       *gzip.Writer
}

// NewWriter writes below the day's prefix in the destination bucket.
func NewWriter(store Store, config Config, journal *Journal, day Day, requestID string) *Writer {
	prefix := config.DestinationPrefix
	if day.Account != "" {
		prefix += day.Account + "/"
	}
	w := &Writer{
		store: store, journal: journal, bucket: config.DestinationBucket,
		dayPrefix: prefix + day.Path(), requestID: requestID, chunkBytes: config.ChunkBytes,
		concurrency: config.Concurrency,
	}
	w.gzip, _ = gzip.NewWriterLevel(&w.compressed, config.GzipLevel) // S7 allows no bad level
	w.begin()
	return w
}

// begin makes ready for the next chunk. The header's time is none only at the epoch:
// a zero time.Time would be written as a date.
func (w *Writer) begin() {
	w.open = Chunk{}
	w.compressed.reset()
	w.gzip.Reset(&w.compressed)
	w.gzip.ModTime = time.Unix(0, 0)
}

// Add takes lines that end in LF and puts each chunk that they fill.
func (w *Writer) Add(ctx context.Context, lines []byte) error {
	for len(lines) > 0 {
		room, end := w.chunkBytes-w.open.Bytes, len(lines)
		if room <= end { // the line that fills the chunk is its last one (C3)
			end = room + bytes.IndexByte(lines[room-1:], '\n')
		}
		if err := w.compress(lines[:end]); err != nil {
			return err
		}
		if lines = lines[end:]; w.open.Bytes >= w.chunkBytes {
			if err := w.Flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) compress(lines []byte) error {
	defer w.journal.Add(PhaseCompress, 0, time.Now())
	w.open.Bytes += len(lines)
	w.open.Records += bytes.Count(lines, []byte("\n"))
	_, err := w.gzip.Write(lines)
	return err
}

// Flush puts the open chunk as a hidden one, unless it is empty (W1).
func (w *Writer) Flush(ctx context.Context) error {
	if w.open.Bytes == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	started := time.Now()
	if err := w.gzip.Close(); err != nil {
		return err
	}
	w.journal.Add(PhaseCompress, 1, started)
	n := len(w.chunks) + 1
	hidden := w.hiddenKey(n)
	if err := w.put(ctx, hidden); err != nil {
		return err
	}
	w.journal.Debug("chunk", "key", hidden, "records", w.open.Records, "bytes", w.open.Bytes)
	w.open.Key = w.publishedKey(n)
	w.chunks = append(w.chunks, w.open)
	w.begin()
	return nil
}

func (w *Writer) put(ctx context.Context, key string) error {
	ctx, ended := w.journal.Request(ctx, PhasePut)
	defer ended()
	return w.store.Put(ctx, w.bucket, key, w.compressed.all(), "application/gzip")
}

// Chunks are those put so far, with the keys that they will be published under.
func (w *Writer) Chunks() []Chunk { return w.chunks }

func (w *Writer) hiddenKey(n int) string {
	return fmt.Sprintf("%s_%s-%06d.ndjson.gz", w.dayPrefix, w.requestID, n)
}

func (w *Writer) publishedKey(n int) string {
	return fmt.Sprintf("%s%06d.ndjson.gz", w.dayPrefix, n)
}
