package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testClaimKey = "2024/02/08/_claim.json"
	liveClaim    = `{"run":"another","expires":"9999-12-31T23:59:59.999Z"}`
	expiredClaim = `{"run":"another","expires":"2024-02-09T02:46:00.000Z"}`
)

// testClaim is that of a run of testEvent's day in a bucket that holds another claim or none.
func testClaim(found string) (*Claim, *memoryStore) {
	store := newMemoryStore(testDestination)
	if found != "" {
		store.buckets[testDestination][testClaimKey] = []byte(found)
	}
	requests := store.requests()
	day := Day{Date: time.Date(2024, 2, 8, 0, 0, 0, 0, time.UTC)}
	end := time.Now().Add(time.Minute)
	return NewClaim(requests, Config{DestinationBucket: testDestination}, day, "me", end), store
}

func TestClaimText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock begins at 2000-01-01
		claim, _ := testClaim("")
		if got := string(claim.text); got != `{"run":"me","expires":"2000-01-01T00:02:00.000Z"}` {
			t.Errorf("claim is %s", got)
		}
	})
}

func TestClaimIsTakenOver(t *testing.T) {
	for name, found := range map[string]string{
		"none": "", "expired": expiredClaim, "no JSON": "x", "null": "null",
		"no run": `{"expires":"9999-12-31T23:59:59.999Z"}`, "no end": `{"run":"another"}`,
		"no time": `{"run":"another","expires":"9999-12-31"}`,
		"no hour": `{"run":"another","expires":"9999-12-31T1:59:59.999Z"}`,
		"too long": `{"run":"` + strings.Repeat("x", claimLimit) +
			`","expires":"9999-12-31T23:59:59.999Z"}`,
	} {
		claim, store := testClaim(found)
		if err := claim.Take(t.Context()); err != nil {
			t.Errorf("%s gives %v", name, err)
		}
		if got := store.buckets[testDestination][testClaimKey]; string(got) != string(claim.text) {
			t.Errorf("%s: claim is %s", name, got)
		}
		if claim.Release(t.Context()); len(store.buckets[testDestination]) != 0 {
			t.Errorf("%s: the claim is not released", name)
		}
	}
}

func TestLiveClaimOfAnotherRun(t *testing.T) {
	claim, store := testClaim(liveClaim)
	err := claim.Take(t.Context())
	claim.Release(t.Context())
	if err == nil || err.Error() != "BUSY: "+testClaimKey {
		t.Errorf("error is %v", err)
	}
	if want := []string{
		"put " + testClaimKey,
		"get " + testClaimKey,
	}; !slices.Equal(
		store.calls,
		want,
	) {
		t.Errorf("requests are %q", store.calls)
	}
}

func TestClaimWhoseAnswerWasLost(t *testing.T) {
	claim, store := testClaim("")
	store.buckets[testDestination][testClaimKey] = claim.text // what the lost put has done
	check(t, claim.Take(t.Context()))
	if claim.Release(t.Context()); len(store.buckets[testDestination]) != 0 {
		t.Error("the claim is not released")
	}
}

// Another run is faster each time: five rounds of a put, a get and a put.
func TestClaimAfterFiveRounds(t *testing.T) {
	claim, store := testClaim(expiredClaim)
	puts := 0
	store.before = func(_ context.Context, operation, _ string) error {
		if operation == "put" {
			puts++
			return refusal(412, "PreconditionFailed")
		}
		return nil
	}
	err := claim.Take(t.Context())
	if err == nil || err.Error() != "BUSY: "+testClaimKey || puts != 10 {
		t.Errorf("error is %v after %d puts", err, puts)
	}
}

func TestClaimThatChangesBeforeTheTakeover(t *testing.T) {
	claim, store := testClaim(expiredClaim)
	store.before = func(_ context.Context, operation, _ string) error {
		if operation == "put" && len(store.calls) == 2 { // the takeover
			store.buckets[testDestination][testClaimKey] = []byte(liveClaim)
		}
		return nil
	}
	if err := claim.Take(t.Context()); err == nil || err.Error() != "BUSY: "+testClaimKey {
		t.Errorf("error is %v", err)
	}
}

func TestClaimThatFails(t *testing.T) {
	for operation, want := range map[string]string{
		"put": "S3_ERROR: put " + testClaimKey + " (InternalError)",
		"get": "S3_ERROR: get " + testClaimKey + " (InternalError)",
	} {
		synctest.Test(t, func(t *testing.T) { // which does not wait between attempts
			claim, store := testClaim(expiredClaim)
			store.faults = []memoryFault{{operation, testClaimKey, "InternalError", 500}}
			if err := claim.Take(t.Context()); err == nil || err.Error() != want {
				t.Errorf("error is %v", err)
			}
			if claim.Release(t.Context()); slices.Contains(store.calls, "delete "+testClaimKey) {
				t.Error("a claim that is not held is released")
			}
		})
	}
}

// untagged is a store whose answers to claims have no ETag.
type untagged struct{ Store }

func (s untagged) Put(ctx context.Context, bucket, key string, upload Upload) (string, error) {
	_, err := s.Store.Put(ctx, bucket, key, upload)
	return "", err
}

func (s untagged) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	body, _, err = s.Store.Get(ctx, bucket, key, limit)
	return body, "", err
}

// W12: without an ETag neither a put nor a get of a claim has succeeded.
func TestClaimWithoutETag(t *testing.T) {
	for found, want := range map[string]string{
		"": "S3_ERROR: get " + testClaimKey, expiredClaim: "S3_ERROR: get " + testClaimKey,
		strings.Repeat("x", claimLimit+1): "S3_ERROR: get " + testClaimKey,
	} {
		synctest.Test(t, func(t *testing.T) {
			_, store := testClaim(found)
			requests := NewAttempts(untagged{store}, 1, quiet())
			claim := NewClaim(requests, writerConfig, testDay, "me", time.Now())
			claim.key = testClaimKey
			if err := claim.Take(t.Context()); err == nil || err.Error() != want {
				t.Errorf("%.9q gives %v", found, err)
			}
			if puts := strings.Count(strings.Join(store.calls, ","), "put"); puts > 2 {
				t.Errorf("%.9q: %d puts", found, puts)
			}
		})
	}
}

// W12: a claim may have more members than those of W11.
func TestClaimWithMoreIsAClaim(t *testing.T) {
	claim, _ := testClaim(strings.Replace(liveClaim, "}", `,"host":1}`, 1))
	if err := claim.Take(t.Context()); err == nil || err.Error() != "BUSY: "+testClaimKey {
		t.Errorf("error is %v", err)
	}
}

// The claim of another run, which took it over, is not deleted.
func TestClaimIsReleasedOnlyUnchanged(t *testing.T) {
	claim, store := testClaim("")
	check(t, claim.Take(t.Context()))
	store.buckets[testDestination][testClaimKey] = []byte(liveClaim)
	if claim.Release(t.Context()); len(store.buckets[testDestination]) != 1 {
		t.Error("the claim of another run is deleted")
	}
}

// Every run gives the day back, also one that fails, panics or runs out of time (W13).
func TestInvokeReleasesTheClaim(t *testing.T) {
	for name, fail := range map[string]func(ctx context.Context) error{
		"success": func(context.Context) error { return nil },
		"failure": func(context.Context) error { return refusal(403, "AccessDenied") },
		"panic":   func(context.Context) error { panic("unforeseen") },
		"no time": func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) },
	} {
		synctest.Test(t, func(t *testing.T) {
			handler, store, log := testHandler(map[string]string{"1": `{"Records":[{}]}`})
			store.before = func(ctx context.Context, operation, _ string) error {
				if operation == "list" {
					return fail(ctx)
				}
				return nil
			}
			ctx, cancel := context.WithTimeout(testContext(t), time.Minute)
			defer cancel()
			_, err := handler.Invoke(ctx, []byte(testEvent))
			first, last := store.calls[0], store.calls[len(store.calls)-1]
			if first != "put "+testClaimKey || last != "delete "+testClaimKey {
				t.Errorf("%s: the first request is %s, the last one %s", name, first, last)
			}
			if isLeft := store.buckets[testDestination][testClaimKey] != nil; isLeft {
				t.Errorf("%s: the claim is left", name)
			}
			if (err == nil) != (name == "success") || !strings.Contains(log.String(), `"end"`) {
				t.Errorf("%s: error is %v, log %s", name, err, log)
			}
		})
	}
}

// A claim that can't be deleted changes nothing of the outcome (W13).
func TestInvokeWhenTheReleaseFails(t *testing.T) {
	handler, store, log := testHandler(map[string]string{"1": `{"Records":[{}]}`})
	store.faults = []memoryFault{{"delete", testClaimKey, "InternalError", 500}}
	output, err := handler.Invoke(testContext(t), []byte(testEvent))
	check(t, err)
	var result Result
	check(t, json.Unmarshal(output, &result))
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	retries := strings.Count(log.String(), `"event":"retry"`)
	if retries != 4 || !strings.Contains(lines[len(lines)-1], `"event":"end"`) || result.Sources != 1 {
		t.Errorf("result is %s, log %s", output, log)
	}
}

func TestClaimEndsWithItsContext(t *testing.T) {
	claim, _ := testClaim("")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errOutOfTime)
	if err := claim.Take(ctx); !errors.Is(err, errOutOfTime) {
		t.Errorf("error is %v", err)
	}
}
