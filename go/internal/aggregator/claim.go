// Step claim: one run at a time works for a day (SPEC W11 to W13).
// Holds the text of the run's claim and the ETag by which it is deleted.

package aggregator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"
)

const (
	claimName   = "_claim.json"
	claimLimit  = 64 << 10 // bytes; a longer text is no claim
	claimMargin = 60 * time.Second
	claimRounds = 5
	claimTime   = "2006-01-02T15:04:05.000Z"
)

// Claim is the right of one run to work for its day.
type Claim struct {
	store  Store
	bucket string
	key    string
	text   []byte // of this run's claim
	etag   string // of the claim in S3; empty until this run holds it
}

// NewClaim makes the claim of a run whose invocation ends at the given time.
func NewClaim(
	requests *Attempts, config Config, day Day, requestID string, end time.Time,
) *Claim {
	own := *requests
	own.store = tagged{requests.store}
	text, _ := json.Marshal(struct { // two strings always become JSON
		Run     string `json:"run"`
		Expires string `json:"expires"`
	}{requestID, end.Add(claimMargin).UTC().Format(claimTime)})
	return &Claim{
		store: &own, bucket: config.DestinationBucket,
		key: dayPrefix(config, day) + claimName, text: text,
	}
}

// Take claims the day. Its errors are BUSY, S3_ERROR and an ended context's cause.
func (c *Claim) Take(ctx context.Context) error {
	for range claimRounds {
		if isHeld, err := c.tryToTake(ctx); isHeld || err != nil {
			return err
		}
	}
	return c.busy()
}

// tryToTake is one round of W11 and W12. Without an error and without the claim, another
// round can help: the claim of another run has just gone or changed.
func (c *Claim) tryToTake(ctx context.Context) (isHeld bool, err error) {
	if isHeld, err = c.put(ctx, IfAbsent); isHeld || err != nil {
		return isHeld, err
	}
	found, etag, err := c.store.Get(ctx, c.bucket, c.key, claimLimit)
	switch {
	case errors.Is(err, Missing):
		return false, nil
	case err != nil && !errors.Is(err, TooLarge):
		return false, err
	case bytes.Equal(found, c.text): // an earlier put, whose answer was lost
		c.etag = etag
		return true, nil
	case isLive(found):
		return false, c.busy()
	}
	return c.put(ctx, IfUnchanged(etag))
}

// put claims the day, unless S3 refuses the condition.
func (c *Claim) put(ctx context.Context, condition Condition) (isHeld bool, err error) {
	upload := jsonUpload(c.text)
	upload.Condition = condition
	c.etag, err = c.store.Put(ctx, c.bucket, c.key, upload)
	if isRefused(err) {
		return false, nil
	}
	return err == nil, err
}

// Release gives the day back, if this run holds it. A claim that can't be deleted expires. Half of
// the time that is left stays for the line end. The context may have ended (K4).
func (c *Claim) Release(ctx context.Context) {
	if c.etag == "" {
		return
	}
	left := time.Until(endOf(ctx))
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), left/2)
	defer end()
	_ = c.store.Delete(ctx, c.bucket, c.key, IfUnchanged(c.etag))
}

func (c *Claim) busy() error { return failure(Busy, "%s", escapeKey(c.key)) }

// isRefused is true where the object is not as a condition demands: changed, or gone.
func isRefused(err error) bool {
	refusal := refusalOf(err)
	return refusal.Status == http.StatusPreconditionFailed || refusal.isMissing()
}

// isLive is true for a text of the form of W11 that has not expired.
func isLive(claim []byte) bool {
	members, _ := object(claim)
	_, hasRun := text(members["run"])
	end, _ := text(members["expires"])
	expires, err := time.Parse(claimTime, end)
	// Parse is lenient: it takes an hour of one digit, for instance.
	isOfForm := utf8.Valid(claim) && hasRun && err == nil && expires.Format(claimTime) == end
	return isOfForm && time.Now().Before(expires)
}

var errNoETag = errors.New("an answer without an ETag")

// tagged is a store in which a put or a get has failed if its answer has no ETag (W12).
type tagged struct{ Store }

func (t tagged) Put(
	ctx context.Context, bucket, key string, upload Upload,
) (etag string, err error) {
	etag, err = t.Store.Put(ctx, bucket, key, upload)
	if err == nil && etag == "" {
		err = errNoETag
	}
	return etag, err
}

func (t tagged) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	body, etag, err = t.Store.Get(ctx, bucket, key, limit)
	if (err == nil || errors.Is(err, TooLarge)) && etag == "" {
		err = errNoETag
	}
	return body, etag, err
}
