// Every vector of tests/vectors against the handler and the store in memory. The format
// is that of tests/README.md; an unknown member is fatal.

package aggregator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const vectorsFolder = "../../../tests/vectors"

type vector struct {
	Title            string
	Clauses          []string
	Settings         map[string]*string
	Objects          []vectorObject
	Destination      []vectorObject
	Faults           []vectorFault
	Needs            string
	Steps            []vectorStep
	Expected         []vectorObject
	Replaces, Reason string
}

type vectorObject struct {
	Key             string
	Body            vectorBody
	Count           *int
	ContentEncoding string `json:"content_encoding"`
}

type vectorBody struct {
	Text, File, Hex *string
	Gzip            *vectorBody
	Cut             int
	Set             []struct {
		At  int
		Hex string
	}
	Concat []vectorBody
	Repeat *vectorBody
	Count  int
}

type vectorFault struct {
	Operation, Key, Code, Kind string
	Status, Times              int
	At, Beside                 any
}

type vectorStep struct {
	Event     json.RawMessage
	EventText *string `json:"event_text"`
	Settings  map[string]*string
	Add       []vectorObject
	Remove    []string
	TimeoutS  int `json:"timeout_s"`
	Expect    struct {
		Result, Published *Result
		Error             string
		OrError           string `json:"or_error"` // of vectors that need HTTP
		Bad               [][2]string
		Retries           *int
		DayPrefix         string `json:"day_prefix"`
	}
}

func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectorsFolder, "*", "case.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", vectorsFolder, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			check(t, err)
			var v vector
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			check(t, decoder.Decode(&v))
			if v.Needs == "http" {
				t.Skip("needs http: only a real request shows it")
			}
			v.run(t, filepath.Dir(file))
		})
	}
}

func (v *vector) run(t *testing.T, folder string) {
	store := newMemoryStore(testSource, testDestination)
	sources, destination := store.buckets[testSource], testDestination
	if own := v.Settings["DST_BUCKET"]; own != nil && *own == testSource {
		destination = testSource // the sources in it are not compared
	}
	written := store.buckets[destination]
	for key, body := range tree(t, filepath.Join(folder, "source")) {
		if strings.HasSuffix(key, ".gz") {
			body = zip(body)
		}
		sources[key] = body
	}
	stage(t, sources, v.Objects, folder)
	stage(t, store.buckets[testDestination], v.Destination, folder)
	for _, f := range v.Faults {
		key := strings.ReplaceAll(f.Key, "{request_id}", testRequestID)
		store.faults = append(store.faults, memoryFault{f.Operation, key, f.Code, f.Status})
	}
	manifests := map[string]bool{}
	for _, step := range v.Steps {
		stage(t, sources, step.Add, folder)
		for _, key := range step.Remove {
			delete(sources, key)
		}
		if prefix := v.runStep(t, store, &step, written); prefix != "" {
			manifests[prefix+manifestName] = true
		}
	}
	want := map[string][]byte{}
	for key, body := range tree(t, filepath.Join(folder, "expected")) {
		if strings.HasSuffix(key, ".ndjson") {
			key += ".gz"
		}
		want[key] = body
	}
	stage(t, want, v.Expected, folder)
	for key, body := range written {
		isOwnHidden := strings.Contains(key, "/_"+testRequestID+"-")
		_, isExpected := want[key]
		if !isExpected && !manifests[key] && !isOwnHidden && destination != testSource {
			t.Errorf("%s is left: %.300q", key, body)
		}
	}
	for key := range want {
		got, text := unzip(t, written[key]), unzip(t, want[key])
		isSameJSON := strings.HasSuffix(key, manifestName) && equalJSON(got, text)
		if !isSameJSON && !bytes.Equal(got, text) {
			t.Errorf("%s holds %.300q, expected %.300q", key, got, text)
		}
	}
}

func equalJSON(a, b []byte) bool {
	var one, other any
	return json.Unmarshal(a, &one) == nil && json.Unmarshal(b, &other) == nil &&
		reflect.DeepEqual(one, other)
}

// runStep invokes once and gives the day prefix if the step published.
func (v *vector) runStep(
	t *testing.T,
	store *memoryStore,
	step *vectorStep,
	written map[string][]byte,
) string {
	t.Helper()
	env := map[string]string{
		"SRC_BUCKET": testSource,
		"DST_BUCKET": testDestination,
		"AWS_REGION": "us-east-1",
	}
	for _, settings := range []map[string]*string{v.Settings, step.Settings} {
		for name, value := range settings {
			delete(env, name)
			if value != nil {
				env[name] = *value
			}
		}
	}
	event := []byte(step.Event)
	if step.EventText != nil {
		event = []byte(*step.EventText)
	}
	var log bytes.Buffer
	defer func() {
		if t.Failed() {
			t.Logf("the log:\n%s", &log)
		}
	}()
	handler := NewHandler(lookup(env), &log, func(Config) Store { return store })
	output, err := handler.Invoke(testContext(t), event)

	wantError := strings.ReplaceAll(step.Expect.Error, "{request_id}", testRequestID)
	if wantError != "" && (err == nil || err.Error() != wantError) {
		t.Errorf("error is %v, expected %s", err, wantError)
	}
	published := step.Expect.Published
	if step.Expect.Result != nil {
		published = step.Expect.Result
		var got Result
		check(t, err)
		check(t, json.Unmarshal(output, &got))
		if got != *published {
			t.Errorf("result is %+v, expected %+v", got, *published)
		}
	}
	checkLog(t, log.String(), step.Expect.Bad)
	if retries := strings.Count(
		log.String(),
		`"event":"retry"`,
	); step.Expect.Retries != nil &&
		retries != *step.Expect.Retries {
		t.Errorf("%d retries are logged, expected %d", retries, *step.Expect.Retries)
	}
	if published == nil {
		return ""
	}
	prefix := step.Expect.DayPrefix
	if prefix == "" {
		prefix = env["DST_PREFIX"] + strings.ReplaceAll(published.Day, "-", "/") + "/"
	}
	checkPublished(t, written, prefix, published)
	return prefix
}

// checkPublished compares the manifest with the chunks that are there.
func checkPublished(t *testing.T, written map[string][]byte, prefix string, published *Result) {
	t.Helper()
	want := Manifest{published, []Chunk{}}
	for _, key := range slices.Sorted(maps.Keys(written)) {
		below, isBelow := strings.CutPrefix(key, prefix)
		name := chunkName.FindStringSubmatch(below)
		if !isBelow || name == nil || strings.Contains(below, "/") {
			continue
		}
		if name[1] != "" {
			t.Errorf("hidden chunk %s is left", key)
			continue
		}
		text := unzip(t, written[key])
		want.Chunks = append(want.Chunks, Chunk{
			Key: key, Records: bytes.Count(text, []byte("\n")), Bytes: len(text),
		})
	}
	var got Manifest
	check(t, json.Unmarshal(written[prefix+manifestName], &got))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("manifest is %+v %+v, expected %+v %+v",
			got.Result, got.Chunks, want.Result, want.Chunks)
	}
}

func checkLog(t *testing.T, log string, bad [][2]string) {
	t.Helper()
	var got [][2]string
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i, line := range lines {
		var fields struct {
			Level, Event, Key, Code string
			RequestID               string `json:"request_id"`
		}
		if line == "" {
			continue // LOG_LEVEL may hide every line
		}
		check(t, json.Unmarshal([]byte(line), &fields))
		if fields.RequestID != testRequestID || fields.Level == "" ||
			(i == len(lines)-1) != (fields.Event == "end") {
			t.Errorf("odd log line %s", line)
		}
		if fields.Event == "bad_source" {
			got = append(got, [2]string{fields.Key, fields.Code})
		}
	}
	if bad == nil {
		return
	}
	byKey := func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }
	slices.SortFunc(got, byKey)
	slices.SortFunc(bad, byKey)
	if !slices.Equal(got, bad) {
		t.Errorf("bad sources are %q, expected %q", got, bad)
	}
}

func stage(t testing.TB, bucket map[string][]byte, objects []vectorObject, folder string) {
	t.Helper()
	for _, object := range objects {
		body, count := object.Body.build(t, folder), 1
		if object.Count != nil {
			count = *object.Count
		}
		for n := range count {
			bucket[strings.ReplaceAll(object.Key, "{n}", fmt.Sprintf("%012d", n))] = body
		}
	}
}

func (b *vectorBody) build(t testing.TB, folder string) []byte {
	t.Helper()
	switch {
	case b.Text != nil:
		return []byte(*b.Text)
	case b.File != nil:
		body, err := os.ReadFile(filepath.Join(folder, *b.File))
		check(t, err)
		return body
	case b.Hex != nil:
		return unhex(t, *b.Hex)
	case b.Repeat != nil:
		return bytes.Repeat(b.Repeat.build(t, folder), b.Count)
	case b.Gzip != nil:
		body := zip(b.Gzip.build(t, folder))
		body = body[:len(body)-b.Cut]
		for _, change := range b.Set {
			copy(body[(change.At+len(body))%len(body):], unhex(t, change.Hex))
		}
		return body
	}
	var body []byte
	for _, part := range b.Concat {
		body = append(body, part.build(t, folder)...)
	}
	return body
}
