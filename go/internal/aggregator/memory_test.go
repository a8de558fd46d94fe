// A store in memory: the same order, pages and refusals as S3, and the faults of the vectors
// that a store without a network can have. Below it stand the helpers of many tests.

package aggregator

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

const (
	testRequestID   = "test-request"
	testSource      = "source-bucket"
	testDestination = "destination-bucket"
)

type memoryStore struct {
	mutex    sync.Mutex
	buckets  map[string]map[string][]byte
	faults   []memoryFault
	pageSize int
	calls    []string // "operation key", in the order of arrival
	// before is called ahead of every operation; tests observe and delay by it.
	before func(ctx context.Context, operation, key string) error
}

type memoryFault struct {
	Operation, Key, Code string
	Status               int
}

func newMemoryStore(buckets ...string) *memoryStore {
	m := &memoryStore{buckets: map[string]map[string][]byte{}, pageSize: 1000}
	for _, name := range buckets {
		m.buckets[name] = map[string][]byte{}
	}
	return m
}

func refusal(status int, code string) error {
	return &Refusal{status, code, errors.New(code)}
}

// begin checks for faults and gives the bucket, locked until done is called.
func (m *memoryStore) begin(
	ctx context.Context, operation, bucket, key string,
) (objects map[string][]byte, done func(), err error) {
	if m.before != nil {
		if err := m.before(ctx, operation, key); err != nil {
			return nil, nil, err
		}
	}
	m.mutex.Lock()
	m.calls = append(m.calls, operation+" "+key)
	err = context.Cause(ctx)
	for _, fault := range m.faults {
		if err == nil && fault.Operation == operation && fault.Key == key {
			err = refusal(fault.Status, fault.Code)
		}
	}
	objects, ok := m.buckets[bucket]
	if err == nil && !ok {
		err = refusal(http.StatusNotFound, "NoSuchBucket")
	}
	if err != nil {
		m.mutex.Unlock()
		return nil, nil, err
	}
	return objects, m.mutex.Unlock, nil
}

func (m *memoryStore) ListPage(
	ctx context.Context, bucket, prefix, delimiter, token string,
) (Page, error) {
	objects, done, err := m.begin(ctx, "list", bucket, prefix)
	if err != nil {
		return Page{}, err
	}
	defer done()
	sizes := map[string]int{} // -1: a common prefix
	for key, body := range objects {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		entry, size := key, len(body)
		if end := strings.Index(rest, delimiter); delimiter != "" && end >= 0 {
			entry, size = prefix+rest[:end+1], -1
		}
		if entry > token {
			sizes[entry] = size
		}
	}
	var entries []string
	for entry := range sizes {
		entries = append(entries, entry)
	}
	slices.Sort(entries)
	var page Page
	if len(entries) > m.pageSize {
		entries = entries[:m.pageSize]
		page.Next = entries[m.pageSize-1]
	}
	for _, entry := range entries {
		if size := sizes[entry]; size < 0 {
			page.Prefixes = append(page.Prefixes, entry)
		} else {
			page.Objects = append(page.Objects, Object{entry, int64(size)})
		}
	}
	return page, nil
}

func (m *memoryStore) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	objects, done, err := m.begin(ctx, "get", bucket, key)
	if err != nil {
		return nil, "", err
	}
	defer done()
	body, ok := objects[key]
	switch {
	case !ok:
		return nil, "", refusal(http.StatusNotFound, "NoSuchKey")
	case len(body) > limit:
		return nil, etagOf(body), TooLarge
	}
	return slices.Clone(body), etagOf(body), nil // the splitter overwrites the bytes
}

func (m *memoryStore) Put(
	ctx context.Context, bucket, key string, upload Upload,
) (etag string, err error) {
	objects, done, err := m.begin(ctx, "put", bucket, key)
	if err != nil {
		return "", err
	}
	defer done()
	if err := unmet(upload.Condition, objects, key); err != nil {
		return "", err
	}
	objects[key], err = io.ReadAll(io.NewSectionReader(upload.Body, 0, upload.Body.Size()))
	return etagOf(objects[key]), err
}

// unmet is the refusal of a write whose condition does not hold.
func unmet(condition Condition, objects map[string][]byte, key string) error {
	body, isThere := objects[key]
	switch {
	case condition == IfAbsent && isThere:
		return refusal(http.StatusPreconditionFailed, "PreconditionFailed")
	case condition.Header == "If-Match" && !isThere:
		return refusal(http.StatusNotFound, "NoSuchKey")
	case condition.Header == "If-Match" && condition.Value != etagOf(body):
		return refusal(http.StatusPreconditionFailed, "PreconditionFailed")
	}
	return nil
}

func etagOf(body []byte) string { return fmt.Sprintf(`"%x"`, sha256.Sum256(body)) }

func (m *memoryStore) Copy(ctx context.Context, bucket, from, to string) error {
	objects, done, err := m.begin(ctx, "copy", bucket, to)
	if err != nil {
		return err
	}
	defer done()
	body, ok := objects[from]
	if !ok {
		return refusal(http.StatusNotFound, "NoSuchKey")
	}
	objects[to] = body
	return nil
}

func (m *memoryStore) Delete(
	ctx context.Context, bucket, key string, condition Condition,
) error {
	objects, done, err := m.begin(ctx, "delete", bucket, key)
	if err != nil {
		return err
	}
	defer done()
	if err := unmet(condition, objects, key); err != nil {
		return err
	}
	delete(objects, key)
	return nil
}

func tree(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	if _, err := os.Stat(folder); err != nil {
		return files // both folders are optional
	}
	root := os.DirFS(folder)
	check(t, fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[path], err = fs.ReadFile(root, path)
		return err
	}))
	return files
}

// requests are those of an invocation to the store.
func (m *memoryStore) requests() *Attempts { return NewAttempts(m, 256, quiet()) }

func testContext(t *testing.T) context.Context {
	lambda := &lambdacontext.LambdaContext{AwsRequestID: testRequestID}
	return lambdacontext.NewContext(t.Context(), lambda)
}

func lookup(env map[string]string) Lookup {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	check(t, err)
	return b
}

func zip(text []byte) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(text)
	_ = w.Close()
	return zipped.Bytes()
}

func unzip(t *testing.T, body []byte) []byte {
	t.Helper()
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	check(t, err)
	text, err := io.ReadAll(r)
	check(t, err)
	return text
}
