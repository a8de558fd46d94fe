// Step publisher: hidden chunks become the day's published ones (SPEC W2 to W10).
// Holds the manifest and the names of the objects to delete.

package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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
	store             Store
	bucket, dayPrefix string
}

// publishing is the context from W4 on: it leaves the last second for the end of the run (E5).
func publishing(ctx context.Context, end time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.WithoutCancel(ctx), end.Add(-time.Second))
}

// NewPublisher publishes below the day prefix in the destination bucket.
func NewPublisher(store Store, config Config, day Day) *Publisher {
	return &Publisher{store, config.DestinationBucket, dayPrefix(config, day)}
}

// Check refuses to replace a day by one of fewer readable sources (W2, W3). It changes
// nothing. Its errors are BAD_MANIFEST, FEWER_SOURCES, S3_ERROR and an ended context's cause.
func (p *Publisher) Check(ctx context.Context, readable int, force bool) error {
	key := p.dayPrefix + manifestName
	body, _, err := p.store.Get(ctx, p.bucket, key, manifestLimit)
	isAbsent := errors.Is(err, Missing)
	// a manifest that is too large or archived comes without bytes, and so can't be read
	isKept := errors.Is(err, TooLarge) || refusalOf(err).isArchived()
	if err != nil && !isAbsent && !isKept {
		return err
	}
	published, ok := readableSources(body)
	switch {
	case isAbsent || force:
	case !ok:
		return failure(BadManifest, "%s", escapeKey(key))
	case published > float64(readable):
		return failure(FewerSources, "published %.0f, readable %d", published, readable)
	}
	return context.Cause(ctx) // nil while there is time
}

// Publish makes the chunks visible, and counts the chunks that it deletes in the result.
func (p *Publisher) Publish(ctx context.Context, chunks []Chunk, result *Result) error {
	if ctx.Err() != nil { // W4 does not begin in the last second (E6)
		return errOutOfTime
	}
	published, hidden, err := p.found(ctx)
	if err != nil {
		return err
	}
	replaces := func(chunk Chunk) bool { return published[chunk.Key] > 0 }
	added := slices.DeleteFunc(slices.Clone(chunks), replaces)
	if err := sideBySide(ctx, added, p.copy); err != nil {
		return err
	}
	for _, chunk := range slices.Backward(chunks) { // W4
		if !replaces(chunk) {
			continue
		}
		if err := p.copy(ctx, chunk); err != nil {
			return err
		}
	}
	maps.DeleteFunc(published, func(_ string, n int) bool { return n <= len(chunks) })
	stale := slices.Collect(maps.Keys(published)) // W5
	if err := sideBySide(ctx, stale, p.delete); err != nil {
		return err
	}
	result.Deleted = len(stale)
	text, _ := json.Marshal(Manifest{result, append([]Chunk{}, chunks...)}) // of none: [], not null
	if _, err = p.store.Put(ctx, p.bucket, p.dayPrefix+manifestName, jsonUpload(text)); err != nil {
		return err
	}
	return sideBySide(ctx, hidden, p.delete)
}

// readableSources is what a manifest counts: sources less bad, false if it can't be read.
func readableSources(manifest []byte) (float64, bool) {
	members, _ := object(manifest) // without members if it is none
	result, _ := object(members["result"])
	sources, hasSources := count(result["sources"])
	bad, hasBad := count(result["bad"])
	return sources - bad, hasSources && hasBad && utf8.Valid(manifest)
}

func count(raw json.RawMessage) (float64, bool) {
	n, ok := integer(raw)
	return n, ok && n >= 0 && n <= countLimit
}

// found lists the published chunks, each with its number, and the keys of the hidden ones (W8).
func (p *Publisher) found(ctx context.Context) (map[string]int, []string, error) {
	published, hidden := map[string]int{}, []string{}
	for token, more := "", true; more; more = token != "" {
		page, err := p.store.ListPage(ctx, p.bucket, p.dayPrefix, "/", token)
		if err != nil {
			return nil, nil, err
		}
		for _, object := range page.Objects {
			name := chunkName.FindStringSubmatch(strings.TrimPrefix(object.Key, p.dayPrefix))
			switch {
			case name == nil: // no chunk
			case name[1] != "":
				hidden = append(hidden, object.Key)
			default:
				published[object.Key], _ = strconv.Atoi(name[2]) // the largest where it overflows
			}
		}
		token = page.Next
	}
	return published, hidden, nil
}

func (p *Publisher) copy(ctx context.Context, chunk Chunk) error {
	return p.store.Copy(ctx, p.bucket, chunk.hidden, chunk.Key)
}

func (p *Publisher) delete(ctx context.Context, key string) error {
	return p.store.Delete(ctx, p.bucket, key, Condition{})
}
