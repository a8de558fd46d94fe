package aggregator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// serve gives the real store a server that answers by script, and the log of the store.
func serve(t *testing.T, answer http.HandlerFunc) (*s3Store, *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	log := &bytes.Buffer{}
	client := newClient(Config{
		Endpoint: server.URL, Region: "eu-west-1", Concurrency: 4,
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session"},
	})
	store := newS3Store(client, 4, NewJournal(log, 0, testRequestID))
	store.attempts.backoff = time.Microsecond
	return store, log
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>scripted</Message></Error>", code)
}

func TestGetFaultsAndLimits(t *testing.T) {
	store, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bucket/absent":
			refuse(w, 404, "NoSuchKey")
		case "/bucket/chunked":
			_, _ = io.WriteString(w, "12345")
			_ = http.NewResponseController(w).Flush()
		default:
			w.Header().Set("Content-Encoding", "gzip") // it lies, and is taken as stored
			_, _ = io.WriteString(w, "12345")
		}
	})
	for _, c := range []struct {
		key   string
		limit int
		want  error
	}{
		{"absent", 5, Missing},
		{"chunked", 5, nil}, {"chunked", 4, TooLarge},
		{"plain", 5, nil}, {"plain", 4, TooLarge},
	} {
		body, err := store.Get(t.Context(), "bucket", c.key, c.limit)
		if !errors.Is(err, c.want) || err == nil && string(body) != "12345" {
			t.Errorf("%s up to %d: %q %v, expected %v", c.key, c.limit, body, err, c.want)
		}
	}
}

var oddKeys = []string{
	"a//b", "/a", "a/", "a b+c%20", "%2F", "é/😀", "a\x01\n\x7f", "a/../b", "./a", "a?b#c&d=e", "*'()!~", "//",
}

func TestKeysArriveAsTheyAre(t *testing.T) {
	var got []string
	store, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, err := url.PathUnescape(strings.SplitN(r.RequestURI, "?", 2)[0])
		source, err2 := url.QueryUnescape(r.Header.Get("x-amz-copy-source"))
		if err != nil || err2 != nil {
			t.Error(err, err2)
		}
		got = append(got, r.Method+" "+path+" "+source)
		if source != "" {
			_, _ = io.WriteString(w, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
		}
	})
	var want []string
	for _, key := range oddKeys {
		_, err := store.Get(t.Context(), "bucket", key, 0)
		check(t, err)
		check(t, store.Put(t.Context(), "bucket", key, nil, "text/plain"))
		check(t, store.Copy(t.Context(), "bucket", key, "to"))
		check(t, store.Delete(t.Context(), "bucket", key))
		want = append(want, "GET /bucket/"+key+" ", "PUT /bucket/"+key+" ", "PUT /bucket/to bucket/"+key, "DELETE /bucket/"+key+" ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("requests are %q, expected %q", got, want)
	}
}

func TestListPage(t *testing.T) {
	store, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		want := url.Values{
			"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {"p +/"}, "delimiter": {"/"}, "continuation-token": {"t+/="},
		}
		if r.URL.Query().Encode() != want.Encode() {
			t.Errorf("query is %q", r.URL.RawQuery)
		}
		_, _ = io.WriteString(w, "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"+
			"<NextContinuationToken>n+%2B</NextContinuationToken>")
		for _, key := range oddKeys {
			_, _ = fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>7</Size></Contents>", url.QueryEscape(key))
		}
		_, _ = io.WriteString(w, "<CommonPrefixes><Prefix>p%2B+x/</Prefix></CommonPrefixes></ListBucketResult>")
	})
	page, err := store.ListPage(t.Context(), "bucket", "p +/", "/", "t+/=")
	check(t, err)
	for i, key := range oddKeys {
		if (page.Objects[i] != Object{key, 7}) {
			t.Errorf("object is %+v, expected %q", page.Objects[i], key)
		}
	}
	if page.Next != "n+%2B" || !slices.Equal(page.Prefixes, []string{"p+ x/"}) {
		t.Errorf("page is %+v", page)
	}
}

func TestCopyThatFailsWithStatus200(t *testing.T) {
	attempts := 0
	store, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts < 3 {
			refuse(w, 200, "InternalError")
			return
		}
		_, _ = io.WriteString(w, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
	})
	if err := store.Copy(t.Context(), "bucket", "a", "b"); err != nil || attempts != 3 {
		t.Errorf("error is %v after %d attempts", err, attempts)
	}
}

// S10 allows hosts that no SDK or resolver takes: they can't be reached, which is no fault of the code.
func TestEndpointsThatCannotBeReached(t *testing.T) {
	for _, endpoint := range []string{"http://[:::]", "http://[::1]:1", "http://[1]", "http://a..b", "https://..."} {
		if !isEndpoint(endpoint) {
			t.Errorf("%s is a bad setting", endpoint)
		}
		var log bytes.Buffer
		client := newClient(Config{
			Endpoint: endpoint, Region: "eu-west-1", Concurrency: 1,
			Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"},
		})
		store := newS3Store(client, 1, NewJournal(&log, 0, testRequestID))
		store.attempts.backoff = time.Microsecond
		_, err := store.ListPage(t.Context(), testSource, "AWSLogs/", "/", "")
		retries := strings.Count(log.String(), `"event":"retry"`)
		if err == nil || err.Error() != "S3_ERROR: list AWSLogs/" || retries != 4 {
			t.Errorf("%s gives %v after %d retries", endpoint, err, retries)
		}
	}
}
