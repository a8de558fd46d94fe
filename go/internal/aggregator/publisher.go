// Step publisher: hidden chunks become the day's published ones (SPEC W2 to W10, B1).
// Holds the manifest and the names of the objects to delete.

package aggregator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

const (
	manifestName  = "_manifest.json"
	manifestLimit = 64 << 20 // bytes (W2)
	countLimit    = 1 << 53  // up to it a float64 has every integer
)

// chunkName is a chunk's name below the day prefix; a hidden one's has group 1 (W8).
var chunkName = regexp.MustCompile(`(?s)^(_.*-)?([0-9]{6}|[1-9][0-9]{6,})\.ndjson\.gz$`)

// Manifest is what the last published run found.
type Manifest struct {
	Result *Result `json:"result"`
	Chunks []Chunk `json:"chunks"`
}

// Publish makes the writer's chunks the day's, and counts what it deletes in the result.
// ctx may end until the first copy; what follows lasts as long as after. The errors
// are BAD_MANIFEST, FEWER_SOURCES, S3_ERROR and the cause of the ended context.
func (w *Writer) Publish(ctx, after context.Context, result *Result, force bool) error {
	defer w.journal.Add(PhasePublish, 1, time.Now())
	if err := w.checkManifest(ctx, result.Sources-result.Bad, force); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx = after
	for n := len(w.chunks); n >= 1; n-- { // W4
		if err := w.store.Copy(ctx, w.bucket, w.hiddenKey(n), w.publishedKey(n)); err != nil {
			return err
		}
	}
	stale, hidden, err := w.leftovers(ctx)
	if err != nil {
		return err
	}
	if err := w.delete(ctx, stale); err != nil {
		return err
	}
	result.Deleted = len(stale)
	manifest, err := json.Marshal(Manifest{result, append([]Chunk{}, w.chunks...)}) // never null
	if err != nil {
		return err
	}
	body := io.NewSectionReader(bytes.NewReader(manifest), 0, int64(len(manifest)))
	if err := w.store.Put(ctx, w.bucket, w.dayPrefix+manifestName, body, "application/json"); err != nil {
		return err
	}
	return w.delete(ctx, hidden)
}

// checkManifest refuses to replace a day by one of fewer readable sources (W2, W3).
func (w *Writer) checkManifest(ctx context.Context, readable int, force bool) error {
	key := w.dayPrefix + manifestName
	body, err := w.store.Get(ctx, w.bucket, key, manifestLimit)
	if errors.Is(err, Missing) {
		return nil
	}
	if err != nil && !errors.Is(err, TooLarge) {
		return err
	}
	published, ok := readableSources(body)
	switch {
	case force:
		return nil
	case !ok:
		return failure(BadManifest, "%s", escapeKey(key))
	case published > float64(readable):
		return failure(FewerSources, "published %.0f, readable %d", published, readable)
	}
	return nil
}

// readableSources is what a manifest counts: sources less bad, false if it can't be read.
func readableSources(manifest []byte) (float64, bool) {
	members, ok := object(manifest)
	if !ok || !utf8.Valid(manifest) {
		return 0, false
	}
	result, ok := object(members["result"])
	if !ok {
		return 0, false
	}
	sources, ok := integer(result["sources"])
	bad, ok2 := integer(result["bad"])
	return sources - bad, ok && ok2 && min(sources, bad) >= 0 && max(sources, bad) <= countLimit
}

// leftovers finds the published chunks beyond the last one, and all hidden ones (W5, W7).
func (w *Writer) leftovers(ctx context.Context) (stale, hidden []string, err error) {
	for token, more := "", true; more; more = token != "" {
		page, err := w.store.ListPage(ctx, w.bucket, w.dayPrefix, "/", token)
		if err != nil {
			return nil, nil, err
		}
		for _, object := range page.Objects {
			name := chunkName.FindStringSubmatch(strings.TrimPrefix(object.Key, w.dayPrefix))
			if name == nil {
				continue
			}
			n, _ := strconv.Atoi(name[2]) // the largest number where it overflows
			if name[1] != "" {
				hidden = append(hidden, object.Key)
			} else if n > len(w.chunks) {
				stale = append(stale, object.Key)
			}
		}
		token = page.Next
	}
	return stale, hidden, nil
}

func (w *Writer) delete(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.concurrency)
	for _, key := range keys {
		group.Go(func() (err error) {
			defer catchPanic(&err)
			return w.store.Delete(ctx, w.bucket, key)
		})
	}
	return group.Wait()
}
