// Step publisher: hidden chunks become the day's published ones (SPEC W2 to W10, B1).
// Holds the manifest and the names of the objects to delete.

package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// Manifest is the last published run.
type Manifest struct {
	Result *Result `json:"result"`
	Chunks []Chunk `json:"chunks"`
}

// Publisher makes the chunks of one run the day's.
type Publisher struct {
	store       Store
	bucket      string
	dayPrefix   string
	concurrency int
}

// NewPublisher publishes below the day prefix in the destination bucket.
func NewPublisher(store Store, config Config, day Day) *Publisher {
	return &Publisher{store, config.DestinationBucket, dayPrefix(config, day), config.Concurrency}
}

// Check refuses to replace a day by one of fewer readable sources (W2, W3). It changes
// nothing. Its errors are BAD_MANIFEST, FEWER_SOURCES, S3_ERROR and an ended context's cause.
func (p *Publisher) Check(ctx context.Context, readable int, force bool) error {
	key := p.dayPrefix + manifestName
	body, _, err := p.store.Get(ctx, p.bucket, key, manifestLimit)
	isAbsent := errors.Is(err, Missing)
	// a manifest that is too large comes without bytes, and so can't be read
	if err != nil && !isAbsent && !errors.Is(err, TooLarge) {
		return err
	}
	published, ok := readableSources(body)
	switch {
	case isAbsent || force:
		return context.Cause(ctx) // nil while there is time
	case !ok:
		return failure(BadManifest, "%s", escapeKey(key))
	case published > float64(readable):
		return failure(FewerSources, "published %.0f, readable %d", published, readable)
	}
	return context.Cause(ctx)
}

// Publish makes the chunks visible, and counts the chunks that it deletes in the result.
func (p *Publisher) Publish(ctx context.Context, chunks []Chunk, result *Result) error {
	for _, chunk := range slices.Backward(chunks) { // W4
		if err := p.store.Copy(ctx, p.bucket, chunk.hidden, chunk.Key); err != nil {
			return err
		}
	}
	stale, hidden, err := p.leftovers(ctx, len(chunks))
	if err != nil {
		return err
	}
	if err := p.delete(ctx, stale); err != nil {
		return err
	}
	result.Deleted = len(stale)
	manifest := Manifest{result, append([]Chunk{}, chunks...)} // of none: [], not null
	if err := p.putManifest(ctx, manifest); err != nil {
		return err
	}
	return p.delete(ctx, hidden)
}

func (p *Publisher) putManifest(ctx context.Context, manifest Manifest) error {
	text, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	_, err = p.store.Put(ctx, p.bucket, p.dayPrefix+manifestName, jsonUpload(text))
	return err
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
func (p *Publisher) leftovers(ctx context.Context, last int) (stale, hidden []string, err error) {
	for token, more := "", true; more; more = token != "" {
		page, err := p.store.ListPage(ctx, p.bucket, p.dayPrefix, "/", token)
		if err != nil {
			return nil, nil, err
		}
		for _, object := range page.Objects {
			name := chunkName.FindStringSubmatch(strings.TrimPrefix(object.Key, p.dayPrefix))
			if name == nil {
				continue
			}
			n, _ := strconv.Atoi(name[2]) // the largest number where it overflows
			if name[1] != "" {
				hidden = append(hidden, object.Key)
			} else if n > last {
				stale = append(stale, object.Key)
			}
		}
		token = page.Next
	}
	return stale, hidden, nil
}

func (p *Publisher) delete(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.concurrency)
	for _, key := range keys {
		group.Go(func() (err error) {
			defer catchPanic(&err)
			return p.store.Delete(ctx, p.bucket, key, Condition{})
		})
	}
	return group.Wait()
}
