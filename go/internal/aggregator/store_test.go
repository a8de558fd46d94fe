package aggregator

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// forEachClient runs a test once with each client of S3_CLIENT.
func forEachClient(t *testing.T, test func(t *testing.T, client string)) {
	for _, client := range []string{clientSDK, clientLight} {
		t.Run(client, func(t *testing.T) { test(t, client) })
	}
}

// serve gives a real client a server that answers by script, and the log of the store.
func serve(t *testing.T, client string, answer http.HandlerFunc) (*s3Store, *bytes.Buffer) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return reach(client, server.URL)
}

// reach gives the store at an endpoint, which repeats without delay, and its log.
func reach(client, endpoint string) (*s3Store, *bytes.Buffer) {
	log := &bytes.Buffer{}
	store := newS3Store(newClient(Config{
		S3Client: client, Endpoint: endpoint, Region: "eu-west-1", Concurrency: 4,
		SourceBucket: "bucket", DestinationBucket: "another",
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session"},
	}, newSender(4)), 4, NewJournal(log, 0, testRequestID))
	store.attempts.backoff = time.Microsecond
	return store, log
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>scripted</Message></Error>", code)
}

func TestGetFaultsAndLimits(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
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
	})
}

var oddKeys = []string{
	"a//b", "/a", "a/", "a b+c%20", "%2F", "é/😀", "a\x01\n\x7f", "a/../b", "./a", "a?b#c&d=e", "*'()!~", "//",
}

func TestKeysArriveAsTheyAre(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		var got []string
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			path, err := url.PathUnescape(strings.SplitN(r.RequestURI, "?", 2)[0])
			source, err2 := url.QueryUnescape(r.Header.Get("x-amz-copy-source"))
			if err != nil || err2 != nil {
				t.Error(err, err2)
			}
			got = append(got, r.Method+" "+path+" "+source)
			if source != "" {
				_, _ = io.WriteString(w, copied)
			}
		})
		var want []string
		for _, key := range oddKeys {
			_, err := store.Get(t.Context(), "bucket", key, 0)
			check(t, err)
			check(t, store.Put(t.Context(), "bucket", key, section([]byte("text")), "text/plain"))
			check(t, store.Copy(t.Context(), "bucket", key, "to"))
			check(t, store.Delete(t.Context(), "bucket", key))
			want = append(want, "GET /bucket/"+key+" ", "PUT /bucket/"+key+" ", "PUT /bucket/to bucket/"+key, "DELETE /bucket/"+key+" ")
		}
		if !slices.Equal(got, want) {
			t.Errorf("requests are %q, expected %q", got, want)
		}
	})
}

func section(text []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text)))
}

func TestARepeatedPutSendsTheBodyFromItsStart(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef\n"), 1<<16)
	digest := fmt.Sprintf("%x", sha256.Sum256(body))
	forEachClient(t, func(t *testing.T, client string) {
		attempts := 0
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			got, err := io.ReadAll(r.Body)
			check(t, err)
			if !bytes.Equal(got, body) || r.ContentLength != int64(len(body)) || r.Header.Get("x-amz-content-sha256") != digest {
				t.Errorf("attempt %d came with %d bytes, length %d, digest %s", attempts, len(got), r.ContentLength, r.Header.Get("x-amz-content-sha256"))
			}
			if attempts++; attempts == 1 {
				refuse(w, http.StatusServiceUnavailable, "SlowDown")
			}
		})
		check(t, store.Put(t.Context(), "bucket", "key", section(body), "text/plain"))
		if attempts != 2 {
			t.Errorf("%d attempts, expected 2", attempts)
		}
	})
}

func TestListPage(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
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
	})
}

const emptyPage, copied = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>"

func TestXMLThatBreaksOff(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		attempts := 0
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			answer := copied
			if r.Method == http.MethodGet {
				answer = emptyPage
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			if attempts++; attempts%2 == 1 {
				answer = answer[:len(answer)-5]
			}
			_, _ = io.WriteString(w, answer)
		})
		if _, err := store.ListPage(t.Context(), "bucket", "", "", ""); err != nil || attempts != 2 {
			t.Errorf("list gives %v after %d attempts", err, attempts)
		}
		if err := store.Copy(t.Context(), "bucket", "a", "b"); err != nil || attempts != 4 {
			t.Errorf("copy gives %v after %d attempts", err, attempts)
		}
	})
}

func TestAnotherXMLIsNoResult(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		attempts := 0
		store, _ := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			answer := copied
			if r.Method == http.MethodGet {
				answer = emptyPage
			}
			if attempts++; attempts%2 == 1 {
				answer = "<Other/>"
			}
			_, _ = io.WriteString(w, answer)
		})
		if _, err := store.ListPage(t.Context(), "bucket", "", "", ""); err != nil || attempts != 2 {
			t.Errorf("list gives %v after %d attempts", err, attempts)
		}
		if err := store.Copy(t.Context(), "bucket", "a", "b"); err != nil || attempts != 4 {
			t.Errorf("copy gives %v after %d attempts", err, attempts)
		}
	})
}

func TestCopyThatFailsWithStatus200(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		attempts := 0
		store, _ := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
			if attempts++; attempts < 3 {
				refuse(w, 200, "InternalError")
				return
			}
			_, _ = io.WriteString(w, copied)
		})
		if err := store.Copy(t.Context(), "bucket", "a", "b"); err != nil || attempts != 3 {
			t.Errorf("error is %v after %d attempts", err, attempts)
		}
	})
}

// S10 allows hosts that no SDK or resolver takes: they can't be reached, which is no fault of the code.
func TestEndpointsThatCannotBeReached(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		for _, endpoint := range []string{"http://[:::]", "http://[::1]:1", "http://[1]", "http://a..b", "https://..."} {
			if !isEndpoint(endpoint) {
				t.Errorf("%s is a bad setting", endpoint)
			}
			store, log := reach(client, endpoint)
			_, err := store.ListPage(t.Context(), "bucket", "AWSLogs/", "/", "")
			retries := strings.Count(log.String(), `"event":"retry"`)
			if err == nil || err.Error() != "S3_ERROR: list AWSLogs/" || retries != 4 {
				t.Errorf("%s gives %v after %d retries", endpoint, err, retries)
			}
		}
	})
}

// A bucket's host is of its region's partition; an endpoint that is set takes the bucket into the path.
func TestAddresses(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		for _, c := range []struct{ region, endpoint, bucket, want string }{
			{"eu-central-1", "", "bucket", "https://bucket.s3.eu-central-1.amazonaws.com/k"},
			{"us-east-1", "", "bucket", "https://bucket.s3.us-east-1.amazonaws.com/k"},
			{"cn-north-1", "", "bucket", "https://bucket.s3.cn-north-1.amazonaws.com.cn/k"},
			{"us-gov-west-1", "", "bucket", "https://bucket.s3.us-gov-west-1.amazonaws.com/k"},
			{"eu-central-1", "", "with.dot", "https://s3.eu-central-1.amazonaws.com/with.dot/k"},
			{"eu-central-1", "http://localhost:7070", "bucket", "http://localhost:7070/bucket/k"},
			{"eu-central-1", "https://[::1]:7070/", "bucket", "https://[::1]:7070/bucket/k"},
		} {
			var got string
			settings := Config{
				S3Client: client, Region: c.region, Endpoint: c.endpoint, SourceBucket: c.bucket,
				Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"},
			}
			answer := answering(func(request *http.Request) { got = request.URL.String() })
			_, err := newClient(settings, sender{answer}).get(t.Context(), c.bucket, "k", 0)
			if got, _, _ = strings.Cut(got, "?"); err != nil || got != c.want {
				t.Errorf("%s at %q of %s is %s %v, expected %s", c.bucket, c.endpoint, c.region, got, err, c.want)
			}
		}
	})
}

// answering is a transport that shows each request and gives it an empty answer.
type answering func(*http.Request)

func (show answering) RoundTrip(request *http.Request) (*http.Response, error) {
	show(request)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

func TestOnlyTheClientOfTheSettingIsMade(t *testing.T) {
	if made, ok := newClient(Config{S3Client: clientSDK}, sender{}).(sdkStore); !ok || made.s3 == nil {
		t.Errorf("%s is %T", clientSDK, made)
	}
	if made, ok := newClient(Config{S3Client: clientLight}, sender{}).(*lightStore); !ok || made.signer == nil {
		t.Errorf("%s is %T", clientLight, made)
	}
}
