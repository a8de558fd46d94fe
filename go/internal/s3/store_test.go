package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rosetta/internal/aggregator"
)

// forEachClient runs a test once with each client of S3_CLIENT.
func forEachClient(t *testing.T, test func(t *testing.T, client string)) {
	for _, client := range []string{aggregator.ClientSDK, aggregator.ClientLight} {
		t.Run(client, func(t *testing.T) { test(t, client) })
	}
}

// serve gives a client a server that answers by script.
func serve(t *testing.T, client string, answer http.HandlerFunc) aggregator.Store {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return Open(settings(client, server.URL))
}

func settings(client, endpoint string) aggregator.Config {
	return aggregator.Config{
		S3Client: client, Endpoint: endpoint, Region: "eu-west-1", Concurrency: 16,
		SourceBucket: "bucket", DestinationBucket: "another",
		Credentials: aggregator.Credentials{
			AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session",
		},
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>scripted</Message></Error>", code)
}

func TestGetTakesTheBodyAsStored(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bucket/plain" {
				w.Header().Set("Content-Encoding", "gzip") // a lie
				w.Header().Set("Content-Length", "5")
			}
			_, _ = io.WriteString(w, "12345")
			_ = http.NewResponseController(w).Flush()
		})
		for _, c := range []struct {
			key   string
			limit int
			want  error
		}{
			{"chunked", 5, nil}, {"chunked", 4, aggregator.TooLarge},
			{"plain", 5, nil}, {"plain", 4, aggregator.TooLarge},
		} {
			body, _, err := store.Get(t.Context(), "bucket", c.key, c.limit)
			if !errors.Is(err, c.want) || err == nil && string(body) != "12345" {
				t.Errorf("%s up to %d: %q %v, expected %v", c.key, c.limit, body, err, c.want)
			}
		}
	})
}

var oddKeys = []string{
	"a//b",
	"/a",
	"a/",
	"a b+c%20",
	"%2F",
	"é/😀",
	"a\x01\n\x7f",
	"a/../b",
	"./a",
	"a?b#c&d=e",
	"*'()!~",
	"//",
}

func TestKeysArriveAsTheyAre(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		var got []string
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
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
			_, _, err := store.Get(t.Context(), "bucket", key, 0)
			check(t, err)
			_, err = store.Put(t.Context(), "bucket", key, upload([]byte("text")))
			check(t, err)
			check(t, store.Copy(t.Context(), "bucket", key, "to"))
			check(t, store.Delete(t.Context(), "bucket", key, aggregator.Condition{}))
			want = append(want, "GET /bucket/"+key+" ", "PUT /bucket/"+key+" ",
				"PUT /bucket/to bucket/"+key, "DELETE /bucket/"+key+" ")
		}
		if !slices.Equal(got, want) {
			t.Errorf("requests are %q, expected %q", got, want)
		}
	})
}

func upload(text []byte) aggregator.Upload {
	body := io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text)))
	return aggregator.Upload{Body: body, ContentType: "text/plain"}
}

func TestARepeatedPutSendsTheBodyFromItsStart(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789abcdef\n"), 1<<16)
	digest := fmt.Sprintf("%x", sha256.Sum256(text))
	forEachClient(t, func(t *testing.T, client string) {
		attempts := 0
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			attempts++
			got, err := io.ReadAll(r.Body)
			check(t, err)
			sent := r.Header.Get("x-amz-content-sha256")
			if !bytes.Equal(got, text) || r.ContentLength != int64(len(text)) || sent != digest {
				t.Errorf("attempt %d has %d bytes, length %d, digest %s",
					attempts, len(got), r.ContentLength, sent)
			}
			if attempts == 1 {
				refuse(w, http.StatusServiceUnavailable, "SlowDown")
			}
		})
		body := upload(text)
		if _, err := store.Put(t.Context(), "bucket", "key", body); err == nil {
			t.Error("a refused put succeeds")
		}
		_, err := store.Put(t.Context(), "bucket", "key", body)
		check(t, err)
	})
}

func TestListPage(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			want := url.Values{
				"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {"p +"},
				"delimiter": {"/"}, "continuation-token": {"t+/="},
			}
			if r.URL.Query().Encode() != want.Encode() {
				t.Errorf("query is %q", r.URL.RawQuery)
			}
			_, _ = io.WriteString(w, "<ListBucketResult><EncodingType>url</EncodingType>"+
				"<IsTruncated>true</IsTruncated>"+
				"<NextContinuationToken>n+%2B</NextContinuationToken>")
			for _, key := range oddKeys {
				_, _ = fmt.Fprintf(w, "<Contents><Key>p+%%2B%s</Key><Size>7</Size></Contents>",
					url.QueryEscape(key))
			}
			_, _ = io.WriteString(w, "<CommonPrefixes><Prefix>p+%2B+x/</Prefix></CommonPrefixes>"+
				"</ListBucketResult>")
		})
		page, err := store.ListPage(t.Context(), "bucket", "p +", "/", "t+/=")
		check(t, err)
		for i, key := range oddKeys {
			if (page.Objects[i] != aggregator.Object{Key: "p +" + key, Size: 7}) {
				t.Errorf("object is %+v, expected %q", page.Objects[i], key)
			}
		}
		if page.Next != "n+%2B" || !slices.Equal(page.Prefixes, []string{"p + x/"}) {
			t.Errorf("page is %+v", page)
		}
	})
}

const (
	emptyPage = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
	copied    = "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>"
)

// E5: an answer of status 200 counts only if it is whole and holds the result.
func TestAnswersWithoutAResult(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		for name, answer := range map[string]string{
			"page cut short": emptyPage[:len(emptyPage)-5], "copy cut short": copied[:len(copied)-5],
			"another XML": "<Other/>", "nothing": "", "error": "<Error><Code>InternalError</Code></Error>",
		} {
			store := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, answer)
			})
			if err := store.Copy(t.Context(), "bucket", "a", "b"); err == nil {
				t.Errorf("%s is taken for a copy", name)
			}
			if _, err := store.ListPage(t.Context(), "bucket", "", "", ""); err == nil {
				t.Errorf("%s is taken for a page", name)
			}
		}
	})
}

// L8: an answer that is no page of the prefix would end a listing early, or with other keys.
func TestAnswersThatAreNoPage(t *testing.T) {
	const notTruncated = "<IsTruncated>false</IsTruncated>"
	object := func(key, size string) string {
		return "<Contents><Key>" + key + "</Key>" + size + "</Contents>" + notTruncated
	}
	forEachClient(t, func(t *testing.T, client string) {
		for inner, isPage := range map[string]bool{
			notTruncated: true, object("p/a", "<Size>0</Size>"): true,
			object("p/a%2B", "<Size>9007199254740992</Size>"): true,
			"": false, "<IsTruncated>maybe</IsTruncated>": false, "<IsTruncated/>": false,
			"<IsTruncated>true</IsTruncated>":                                     false,
			"<IsTruncated>true</IsTruncated><NextContinuationToken/>":             false,
			object("q/a", "<Size>1</Size>"):                                       false,
			object("p/a", ""):                                                     false,
			object("p/a", "<Size/>"):                                              false,
			object("p/a", "<Size>-1</Size>"):                                      false,
			object("p/a", "<Size>1.5</Size>"):                                     false,
			object("p/a", "<Size>9007199254740993</Size>"):                        false,
			"<Contents><Size>1</Size></Contents>" + notTruncated:                  false,
			"<CommonPrefixes><Prefix>q/</Prefix></CommonPrefixes>" + notTruncated: false,
		} {
			store := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "<ListBucketResult>"+inner+"</ListBucketResult>")
			})
			page, err := store.ListPage(t.Context(), "bucket", "p/", "", "")
			if (err == nil) != isPage {
				t.Errorf("%s gives %v", inner, err)
			}
			if isPage && len(page.Objects) > 0 && strings.Contains(page.Objects[0].Key, "%") !=
				strings.Contains(inner, "%") { // without EncodingType nothing is decoded
				t.Errorf("%s gives %q", inner, page.Objects[0].Key)
			}
		}
	})
}

// W11 to W13: a write sends its condition, and its answer gives the ETag.
func TestConditions(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		var got []string
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Method+" "+r.Header.Get("If-Match")+r.Header.Get("If-None-Match"))
			w.Header().Set("ETag", `"x"`)
		})
		for _, condition := range []aggregator.Condition{
			{}, aggregator.IfAbsent, aggregator.IfUnchanged(`"y"`),
		} {
			put := upload([]byte("text"))
			put.Condition = condition
			etag, err := store.Put(t.Context(), "bucket", "key", put)
			if err != nil || etag != `"x"` {
				t.Errorf("a put gives %s %v", etag, err)
			}
		}
		_, etag, err := store.Get(t.Context(), "bucket", "key", 0)
		if err != nil || etag != `"x"` {
			t.Errorf("a get gives %s %v", etag, err)
		}
		check(t, store.Delete(t.Context(), "bucket", "key", aggregator.Condition{}))
		check(t, store.Delete(t.Context(), "bucket", "key", aggregator.IfUnchanged(`"y"`)))
		want := []string{"PUT ", "PUT *", `PUT "y"`, "GET ", "DELETE ", `DELETE "y"`}
		if !slices.Equal(got, want) {
			t.Errorf("requests are %q, expected %q", got, want)
		}
	})
}

// E5: a header that no clause needs fails nothing.
func TestOddHeaders(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			for _, name := range []string{
				"Last-Modified", "X-Amz-Missing-Meta", "X-Amz-Delete-Marker", "X-Amz-Object-Size",
				"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled",
			} {
				w.Header().Set(name, "caf\xe9")
			}
			if r.Header.Get("X-Amz-Copy-Source") != "" {
				_, _ = io.WriteString(w, copied)
			}
		})
		_, _, err := store.Get(t.Context(), "bucket", "key", 0)
		check(t, err)
		_, err = store.Put(t.Context(), "bucket", "key", upload(nil))
		check(t, err)
		check(t, store.Copy(t.Context(), "bucket", "from", "to"))
		check(t, store.Delete(t.Context(), "bucket", "key", aggregator.Condition{}))
	})
}

// E5: an answer that breaks off is a failed attempt, also one that would be final.
func TestRefusalsThatBreakOff(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			refuse(w, http.StatusForbidden, "AccessDenied")
		})
		_, _, err := store.Get(t.Context(), "bucket", "key", 0)
		if _, isRefusal := errors.AsType[*aggregator.Refusal](err); err == nil || isRefusal {
			t.Errorf("get gives %v", err)
		}
	})
}

// W14: each put has a checksum, in a header here, for there is no TLS.
func TestPutsHaveAChecksum(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		var got, want []string
		store := serve(t, client, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			check(t, err)
			got = append(got, r.Header.Get("X-Amz-Checksum-Crc32"))
			signed, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			if !strings.Contains(signed, ";x-amz-checksum-crc32;") {
				t.Errorf("the checksum is not signed: %s", signed)
			}
		})
		for _, text := range []string{"123456789", "", strings.Repeat("x", 1<<20)} {
			sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
			want = append(want, base64.StdEncoding.EncodeToString(sum))
			_, err := store.Put(t.Context(), "bucket", "key", upload([]byte(text)))
			check(t, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("checksums are %q, expected %q", got, want)
		}
	})
}

// E4: a code is what S3's XML says, not what a library makes of the status.
func TestRefusalsWithoutACode(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		for text, want := range map[string]string{
			"Forbidden": "", "": "", "<html><Code>X</Code></html>": "",
			"<Error><Message>x</Message></Error>":        "",
			"<Error><Code>AccessDenied</Code></Error>":   "AccessDenied",
			"<Error><Code>Forbidden</Code></Error>":      "Forbidden",
			"<Error><Code/><Message>x</Message></Error>": "",
		} {
			store := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, text)
			})
			_, _, err := store.Get(t.Context(), "bucket", "key", 0)
			refusal, isRefusal := errors.AsType[*aggregator.Refusal](err)
			if !isRefusal || refusal.Status != http.StatusForbidden || refusal.Code != want {
				t.Errorf("%s gives %+v %v", text, refusal, err)
			}
		}
	})
}

// A copy that ends with an error after 200 is refused with its code.
func TestACopyThatFailsLate(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusOK, "SlowDown")
		})
		err := store.Copy(t.Context(), "bucket", "from", "to")
		refusal, isRefusal := errors.AsType[*aggregator.Refusal](err)
		if !isRefusal || refusal.Status != 500 || refusal.Code != "SlowDown" {
			t.Errorf("copy gives %+v %v", refusal, err)
		}
	})
}

// L8: an answer that is no object has an end, or has failed.
func TestAnswersOfAnyLength(t *testing.T) {
	forEachClient(t, func(t *testing.T, name string) {
		for _, c := range []struct {
			status int
			begin  string
		}{
			{http.StatusOK, "<ListBucketResult><IsTruncated>false</IsTruncated>"},
			{http.StatusForbidden, "<Error><Code>AccessDenied</Code>"},
		} {
			server := httptest.NewServer(http.HandlerFunc(
				func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(c.status)
					for _, err := io.WriteString(w, c.begin); err == nil; {
						_, err = io.WriteString(w, strings.Repeat("<x>text</x>", 1<<9))
					}
				}))
			defer server.Close()
			config := settings(name, server.URL)
			client := newHTTPClient(config, silenceTimeout)
			client.Transport.(*freshPool).limit = 1 << 16
			_, err := open(config, client).ListPage(t.Context(), "bucket", "", "", "")
			_, isRefusal := errors.AsType[*aggregator.Refusal](err)
			if err == nil || isRefusal {
				t.Errorf("status %d gives %v", c.status, err)
			}
		}
	})
}

// E5: one call is one request, whatever happens to it; and its error says what S3 answered.
func TestACallIsOneRequest(t *testing.T) {
	hangUp := func(w http.ResponseWriter) {
		connection, _, err := http.NewResponseController(w).Hijack()
		check(t, err)
		_ = connection.Close()
	}
	short := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "four")
	}
	redirect := func(w http.ResponseWriter) {
		w.Header().Set("Location", "/bucket/elsewhere")
		refuse(w, http.StatusTemporaryRedirect, "TemporaryRedirect")
	}
	answer := func(status int, code string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { refuse(w, status, code) }
	}
	forEachClient(t, func(t *testing.T, client string) {
		for name, c := range map[string]struct {
			answer func(http.ResponseWriter)
			status int
			code   string
		}{
			"503":      {answer(503, "SlowDown"), 503, "SlowDown"},
			"403":      {answer(403, "AccessDenied"), 403, "AccessDenied"},
			"404":      {answer(404, "NoSuchKey"), 404, "NoSuchKey"},
			"redirect": {redirect, 307, "TemporaryRedirect"},
			"hang up":  {hangUp, 0, ""},
			"short":    {short, 0, ""},
		} {
			var requests atomic.Int64
			store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/bucket/first" {
					requests.Add(1)
					c.answer(w)
				}
			})
			// net/http repeats requests only on a connection that it has used before
			_, _, err := store.Get(t.Context(), "bucket", "first", 100)
			check(t, err)
			_, _, err = store.Get(t.Context(), "bucket", "k", 100)
			refusal, isRefusal := errors.AsType[*aggregator.Refusal](err)
			if err == nil || requests.Load() != 1 || isRefusal != (c.status != 0) {
				t.Errorf("%s gives %v after %d requests", name, err, requests.Load())
			} else if isRefusal && (refusal.Status != c.status || refusal.Code != c.code) {
				t.Errorf("%s is %d %s", name, refusal.Status, refusal.Code)
			}
		}
	})
}

func TestARequestEndsWithItsContext(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "four")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done() // stalls in the middle of the body
		})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, _, err := store.Get(ctx, "bucket", "k", 100); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
	})
}

// S10 allows hosts that no SDK or resolver takes. They can't be reached, which is E4's case.
func TestEndpointsThatCannotBeReached(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		for _, endpoint := range []string{
			"http://[:::]", "http://[::1]:1", "http://[1]", "http://a..b", "https://...",
		} {
			store := Open(settings(client, endpoint))
			_, err := store.ListPage(t.Context(), "bucket", "AWSLogs/", "/", "")
			if _, isRefusal := errors.AsType[*aggregator.Refusal](err); err == nil || isRefusal {
				t.Errorf("%s gives %v", endpoint, err)
			}
		}
	})
}

// A bucket's host is of its region's partition. An endpoint takes the bucket into the path.
func TestAddresses(t *testing.T) {
	const china, gov = "cn-north-1", "us-gov-west-1"
	for name, value := range map[string]string{ // none of them is a setting of table S
		"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_USE_FIPS_ENDPOINT": "true",
		"AWS_USE_DUALSTACK_ENDPOINT": "true", "AWS_S3_USE_ARN_REGION": "true", "AWS_PROFILE": "x",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_CA_BUNDLE": "/nowhere", "AWS_DEFAULTS_MODE": "mobile",
	} {
		t.Setenv(name, value)
	}
	forEachClient(t, func(t *testing.T, client string) {
		for _, c := range []struct{ region, endpoint, bucket, want string }{
			{"eu-central-1", "", "bucket", "https://bucket.s3.eu-central-1.amazonaws.com/k"},
			{"us-east-1", "", "bucket", "https://bucket.s3.us-east-1.amazonaws.com/k"},
			{china, "", "bucket", "https://bucket.s3.cn-north-1.amazonaws.com.cn/k"},
			{"eusc-de-east-1", "", "bucket", "https://bucket.s3.eusc-de-east-1.amazonaws.eu/k"},
			{gov, "", "bucket", "https://bucket.s3.us-gov-west-1.amazonaws.com/k"},
			{"eu-central-1", "", "with.dot", "https://s3.eu-central-1.amazonaws.com/with.dot/k"},
			{"eu-central-1", "http://localhost:7070", "bucket", "http://localhost:7070/bucket/k"},
			{"eu-central-1", "https://[::1]:7070/", "bucket", "https://[::1]:7070/bucket/k"},
			// a name that S3 keeps for directory buckets: no session is asked for
			{"eu-central-1", "http://localhost:7070", "b--x-s3", "http://b--x-s3.localhost:7070/k"},
		} {
			var got string
			config := settings(client, c.endpoint)
			config.Region, config.SourceBucket = c.region, c.bucket
			show := func(request *http.Request) { got = request.URL.String() }
			_, _, err := open(config, answering(show)).Get(t.Context(), c.bucket, "k", 0)
			if got, _, _ = strings.Cut(got, "?"); err != nil || got != c.want {
				t.Errorf("%s at %q of %s is %s %v, expected %s",
					c.bucket, c.endpoint, c.region, got, err, c.want)
			}
		}
	})
}

// answering is a client that shows each request and gives it an empty answer.
func answering(
	show func(*http.Request),
) *http.Client {
	return &http.Client{Transport: shown(show)}
}

type shown func(*http.Request)

func (show shown) RoundTrip(request *http.Request) (*http.Response, error) {
	show(request)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
}

func TestOnlyTheClientOfTheSettingIsMade(t *testing.T) {
	if made, ok := Open(settings(aggregator.ClientSDK, "")).(sdkClient); !ok || made.s3 == nil {
		t.Errorf("%s is %T", aggregator.ClientSDK, made)
	}
	made, ok := Open(settings(aggregator.ClientLight, "")).(*lightClient)
	if !ok || made.signer == nil {
		t.Errorf("%s is %T", aggregator.ClientLight, made)
	}
}
