package s3

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rosetta/internal/aggregator"
)

func TestCredentialsFromTheEnvironment(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store := serve(t, client, func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Amz-Security-Token") != "session" {
				t.Errorf("headers are %v", r.Header)
			}
		})
		_, _, err := store.Get(t.Context(), "bucket", "k", 0)
		check(t, err)
	})
}

func TestCredentialsFromTheContainer(t *testing.T) {
	given := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token" {
			t.Errorf("headers are %v", r.Header)
		}
		given++
		expires := time.Now().Add(2 * time.Hour)
		if given == 1 {
			expires = time.Now().Add(time.Second) // soon: they are asked for again
		}
		_, _ = fmt.Fprintf(w,
			`{"AccessKeyId":"id%d","SecretAccessKey":"s","Token":"t","Expiration":%q}`,
			given, expires.UTC().Format(time.RFC3339))
	}))
	defer server.Close()
	provider := newCredentials(aggregator.Config{
		Credentials: aggregator.Credentials{Endpoint: server.URL, EndpointToken: "token"},
		Proxy:       "http://127.0.0.1:9", // nothing is there, and nothing asks it
	})
	for _, want := range []string{"id1", "id2", "id2"} {
		got, err := provider.Retrieve(t.Context())
		check(t, err)
		if got.AccessKeyID != want {
			t.Errorf("key is %s, expected %s", got.AccessKeyID, want)
		}
	}
}
