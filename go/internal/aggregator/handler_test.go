package aggregator

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testEvent  = `{"year":2024,"month":2,"day":8}`
	testFolder = "AWSLogs/000000000001/CloudTrail/a/2024/02/08/"
)

// testHandler reads the given sources and keeps its log in the buffer.
func testHandler(sources map[string]string) (*Handler, *memoryStore, *bytes.Buffer) {
	store := newMemoryStore(testSource, testDestination)
	for name, text := range sources {
		store.buckets[testSource][testFolder+name] = []byte(text)
	}
	var log bytes.Buffer
	env := map[string]string{
		"SRC_BUCKET": testSource,
		"DST_BUCKET": testDestination,
		"AWS_REGION": "eu-west-1",
	}
	handler := NewHandler(lookup(env), &log, func(Config) Store { return store })
	return handler, store, &log
}

func TestInvoke(t *testing.T) {
	handler, _, log := testHandler(
		map[string]string{"1": `{"Records":[{},{}]}`, "2": `{"Records":[{}]}`},
	)
	output, err := handler.Invoke(testContext(t), []byte(testEvent))
	check(t, err)
	want := `{"day":"2024-02-08","sources":2,"bad":0,"records":3,"bytes":9,"chunks":1,"deleted":0}`
	if string(output) != want {
		t.Errorf("result is %s, expected %s", output, want)
	}
	if !strings.Contains(log.String(), `"publish":{"count":1,`) {
		t.Errorf("the publication is not counted: %s", log)
	}
	start := `{"level":"INFO","event":"start","request_id":"test-request",` +
		`"day":"2024-02-08","account":null,"force":false}`
	if !strings.HasPrefix(log.String(), start+"\n") {
		t.Errorf("log is %s", log)
	}
}

func TestInvokeFailsAfterPublishing(t *testing.T) {
	handler, store, _ := testHandler(map[string]string{"1": `{"Records":[{}]}`, "2": `{`})
	_, err := handler.Invoke(testContext(t), []byte(testEvent))
	if err == nil || err.Error() != "BAD_SOURCES: 1 of 2: "+testFolder+"2 (BAD_JSON)" {
		t.Errorf("error is %v", err)
	}
	if store.buckets[testDestination]["2024/02/08/000001.ndjson.gz"] == nil {
		t.Error("what is readable was not published")
	}
}

func TestInvokeReportsBadSettingsBeforeTheEvent(t *testing.T) {
	handler := NewHandler(lookup(nil), &bytes.Buffer{}, func(Config) Store { return nil })
	if _, err := handler.Invoke(
		testContext(t),
		[]byte("no event"),
	); err == nil ||
		err.Error() != "BAD_SETTINGS: SRC_BUCKET" {
		t.Errorf("error is %v", err)
	}
}

func TestInvokeKeepsUnforeseenTextsToTheLog(t *testing.T) {
	handler, store, log := testHandler(map[string]string{"1": `{"Records":[]}`})
	store.before = func(context.Context, string, string) error { panic("unforeseen") }
	_, err := handler.Invoke(testContext(t), []byte(testEvent))
	if err == nil || err.Error() != "INTERNAL: see the log" ||
		!strings.Contains(log.String(), "unforeseen") {
		t.Errorf("error is %v, log %s", err, log)
	}
}

func TestInvokeRunsOutOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, store, log := testHandler(
			map[string]string{"1": `{"Records":[{}]}`, "2": `{`, "3": `{"Records":[{}]}`},
		)
		store.before = func(ctx context.Context, _, key string) error {
			if key == testFolder+"3" {
				<-ctx.Done() // a request that hangs
				return context.Cause(ctx)
			}
			return nil
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(testContext(t), time.Minute)
		defer cancel()
		_, err := handler.Invoke(ctx, []byte(testEvent))
		if err == nil || err.Error() != "OUT_OF_TIME: 2 sources read" || ctx.Err() != nil {
			t.Errorf("error is %v, the invocation's own %v", err, ctx.Err())
		}
		if took := time.Since(began); took != 54*time.Second { // a tenth is kept
			t.Errorf("the run took %v", took)
		}
		if len(store.buckets[testDestination]) > 0 {
			t.Error("something was written")
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if !strings.Contains(lines[len(lines)-1], `"event":"end"`) {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
	})
}

// E6: 250 ms are kept for each chunk that was put, where that is more than a tenth.
func TestInvokeKeepsTimeForEachChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := strings.Repeat(",{}", 999)
		handler, store, _ := testHandler(map[string]string{"1": `{"Records":[{}` + records + `]}`})
		handler.config.ChunkBytes = 1
		puts := 0
		store.before = func(_ context.Context, operation, key string) error {
			if operation == "put" && key != testClaimKey {
				puts++
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(testContext(t), time.Minute)
		defer cancel()
		_, err := handler.Invoke(ctx, []byte(testEvent))
		if err == nil || err.Error() != "OUT_OF_TIME: 0 sources read" {
			t.Errorf("error is %v", err)
		}
		if most := 60 * 1000 / (100 + 250); puts < most || puts > most+2 {
			t.Errorf("%d chunks were put, %d can be published", puts, most)
		}
	})
}

// A source whose chunk is being put is not read yet; a failed put is counted, what was not sent is
// not.
func TestInvokeRunsOutOfTimeWhilePutting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, store, log := testHandler(
			map[string]string{"1": `{"Records":[{}]}`, "2": `{"Records":[{}]}`},
		)
		store.before = func(ctx context.Context, operation, key string) error {
			if operation == "put" && key != testClaimKey {
				<-ctx.Done() // a request that hangs
				return context.Cause(ctx)
			}
			return nil
		}
		for chunkBytes, want := range map[int]string{1: "0", 4: "1"} {
			log.Reset()
			handler.config.ChunkBytes = chunkBytes
			ctx, cancel := context.WithTimeout(testContext(t), time.Minute)
			_, err := handler.Invoke(ctx, []byte(testEvent))
			cancel()
			if err == nil || err.Error() != "OUT_OF_TIME: "+want+" sources read" {
				t.Errorf("chunks of %d: error is %v", chunkBytes, err)
			}
			if !strings.Contains(log.String(), `"put":{"count":1,`) ||
				!strings.Contains(log.String(), `"get":{"count":2,`) {
				t.Errorf("chunks of %d: log is %s", chunkBytes, log)
			}
		}
	})
}

// From W4 on the time that E6 keeps does not stop the run.
func TestPublishingGoesOnAfterTheFirstCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, store, _ := testHandler(map[string]string{"1": `{"Records":[{}]}`})
		store.before = func(ctx context.Context, operation, _ string) error {
			if operation == "copy" {
				time.Sleep(18500 * time.Millisecond) // of 20 s, of which 2 s are kept
			}
			return ctx.Err()
		}
		ctx, cancel := context.WithTimeout(testContext(t), 20*time.Second)
		defer cancel()
		if _, err := handler.Invoke(ctx, []byte(testEvent)); err != nil {
			t.Error(err)
		}
		if left := len(store.buckets[testDestination]); left != 2 {
			t.Errorf("%d objects are left, expected a chunk and the manifest", left)
		}
	})
}

// E6: a run that reads the manifest until the last second does not begin W4.
func TestPublishingDoesNotBeginInTheLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, store, _ := testHandler(map[string]string{"1": `{"Records":[{}]}`})
		store.before = func(_ context.Context, operation, key string) error {
			if operation == "get" && strings.HasSuffix(key, manifestName) {
				time.Sleep(4200 * time.Millisecond)
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(testContext(t), 5*time.Second)
		defer cancel()
		_, err := handler.Invoke(ctx, []byte(testEvent))
		if err == nil || err.Error() != "OUT_OF_TIME: 1 sources read" {
			t.Errorf("error is %v", err)
		}
	})
}

// E5: the last second is for the claim and the line end, whatever a request of W4 waits for.
func TestPublishingLeavesTheLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler, store, log := testHandler(map[string]string{"1": `{"Records":[{}]}`})
		store.before = func(ctx context.Context, operation, key string) error {
			if operation == "copy" || key == testClaimKey && operation == "delete" {
				<-ctx.Done() // a request that hangs
				return ctx.Err()
			}
			return nil
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(testContext(t), 20*time.Second)
		defer cancel()
		_, err := handler.Invoke(ctx, []byte(testEvent))
		if err == nil || err.Error() != "S3_ERROR: copy 2024/02/08/000001.ndjson.gz" {
			t.Errorf("error is %v", err)
		}
		if took := time.Since(began); took != 19500*time.Millisecond { // half of the rest is kept
			t.Errorf("the run took %v", took)
		}
		if !strings.Contains(log.String(), `"event":"end"`) {
			t.Errorf("log is %s", log)
		}
	})
}

func TestASourceWithoutABodyIsNotDecoded(t *testing.T) {
	run := run{journal: quiet()}
	if _, err := run.decode(t.Context(), Fetched{Fault: Missing}); !errors.Is(err, Missing) {
		t.Errorf("error is %v", err)
	}
	if count := run.journal.sums[PhaseDecode].count; count != 0 {
		t.Errorf("%d bodies are decoded", count)
	}
}
