package aggregator

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestSilenceEndsAnAttempt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" { // slower than the limit as a whole, never silent for as long
			for range 6 {
				time.Sleep(50 * time.Millisecond)
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
			}
			return
		}
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	defer server.Close()
	client := http.Client{Transport: newTransport(1, 200*time.Millisecond)}
	read := func(path string) (int, error) {
		response, err := client.Get(server.URL + path)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return len(body), err
	}
	if n, err := read("/slow"); err != nil || n != 6 {
		t.Errorf("a slow body gives %d bytes %v", n, err)
	}
	for _, path := range []string{"/header", "/body"} {
		_, err := read(path)
		if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
			t.Errorf("%s gives %v", path, err)
		}
	}
}

func TestCredentialsFromTheEnvironment(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		store, _ := serve(t, client, func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Amz-Security-Token") != "session" {
				t.Errorf("headers are %v", r.Header)
			}
		})
		_, err := store.Get(t.Context(), "bucket", "k", 0)
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
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":"id%d","SecretAccessKey":"s","Token":"t","Expiration":%q}`,
			given, expires.UTC().Format(time.RFC3339))
	}))
	defer server.Close()
	provider := newCredentials(Credentials{Endpoint: server.URL, EndpointToken: "token"}, newSender(1))
	for _, want := range []string{"id1", "id2", "id2"} {
		got, err := provider.Retrieve(t.Context())
		check(t, err)
		if got.AccessKeyID != want {
			t.Errorf("key is %s, expected %s", got.AccessKeyID, want)
		}
	}
}
