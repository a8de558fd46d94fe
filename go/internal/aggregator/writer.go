// Step writer: lines become hidden chunks (SPEC C2, C3, W1, P5). Publishing them is the
// publisher's part. Holds one compressed chunk and the name of each earlier one.

package aggregator

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"rosetta/internal/tuning"
)

const pieceBytes = 1 << 20 // of lines; the time is checked before each piece (E6)

// Chunk is one output object as the manifest has it. Bytes are those of its records.
type Chunk struct {
	Key     string `json:"key"`
	Records int    `json:"records"`
	Bytes   int    `json:"bytes"`
	hidden  string // its key until it is published
}

// Writer writes the chunks of one run.
type Writer struct {
	store      Store
	journal    *Journal
	bucket     string
	dayPrefix  string
	requestID  string
	chunkBytes int

	chunks     []Chunk // that were put
	open       Chunk
	compressed tuning.ChunkBuffer
	afterPut   func(chunks int) // takes the number of chunks put so far (E6)
	gzip       *gzip.Writer
}

// NewWriter writes below the day prefix in the destination bucket.
func NewWriter(store Store, config Config, journal *Journal, day Day, requestID string) *Writer {
	w := &Writer{
		store: store, journal: journal, bucket: config.DestinationBucket,
		dayPrefix: dayPrefix(config, day), requestID: requestID, chunkBytes: config.ChunkBytes,
		afterPut: func(int) {},
	}
	w.gzip, _ = gzip.NewWriterLevel(&w.compressed, config.GzipLevel) // S7 allows no bad level
	w.begin()
	return w
}

// dayPrefix is where the chunks of a day stand; one account's have a folder of their own (T7).
func dayPrefix(config Config, day Day) string {
	if day.Account == "" {
		return config.DestinationPrefix + day.Path()
	}
	return config.DestinationPrefix + day.Account + "/" + day.Path()
}

// begin makes ready for the next chunk. The gzip header has no time only if ModTime is 1970: a
// zero time.Time would be written as a date.
func (w *Writer) begin() {
	w.open = Chunk{}
	w.compressed.Reset()
	w.gzip.Reset(&w.compressed)
	w.gzip.ModTime = time.Unix(0, 0)
}

// Add takes lines that end in LF and puts each chunk that they fill.
func (w *Writer) Add(ctx context.Context, lines []byte) error {
	for len(lines) > 0 {
		room, end := w.chunkBytes-w.open.Bytes, len(lines)
		if room <= end { // the line that holds the byte at room-1 is the chunk's last (C3)
			end = room + bytes.IndexByte(lines[room-1:], '\n')
		}
		if err := w.compress(ctx, lines[:end]); err != nil {
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

func (w *Writer) compress(ctx context.Context, lines []byte) error {
	defer w.journal.Add(PhaseCompress, 0, time.Now())
	w.open.Bytes += len(lines)
	w.open.Records += bytes.Count(lines, []byte("\n"))
	for piece := range slices.Chunk(lines, pieceBytes) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := w.gzip.Write(piece); err != nil {
			return err
		}
	}
	return nil
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
	w.open.Key = fmt.Sprintf("%s%06d.ndjson.gz", w.dayPrefix, n)
	w.open.hidden = fmt.Sprintf("%s_%s-%06d.ndjson.gz", w.dayPrefix, w.requestID, n)
	body := Upload{Body: w.compressed.Section(), ContentType: "application/gzip"}
	if _, err := w.store.Put(ctx, w.bucket, w.open.hidden, body); err != nil {
		return err
	}
	w.journal.Debug("chunk", "key", w.open.hidden, "records", w.open.Records, "bytes", w.open.Bytes)
	w.chunks = append(w.chunks, w.open)
	w.afterPut(len(w.chunks))
	w.begin()
	return nil
}

// Chunks are those put so far.
func (w *Writer) Chunks() []Chunk { return w.chunks }
