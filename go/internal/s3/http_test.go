package s3

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rosetta/internal/aggregator"
)

func TestSilenceEndsAnAttempt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" { // slower than the limit as a whole, never silent for as long
			for range 6 {
				time.Sleep(200 * time.Millisecond)
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
	client := newHTTPClient(aggregator.Config{}, time.Second)
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
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Errorf("%s gives %v", path, err)
		}
	}
}

// An upload that takes longer than the limit goes on as long as bytes leave.
func TestASlowUploadIsNotSilent(t *testing.T) {
	forEachClient(t, func(t *testing.T, name string) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for buffer := make([]byte, 1<<20); ; time.Sleep(40 * time.Millisecond) {
				if _, err := io.ReadFull(r.Body, buffer); err != nil {
					return
				}
			}
		}))
		defer server.Close()
		config := settings(name, server.URL)
		store := open(config, newHTTPClient(config, time.Second))
		_, err := store.Put(t.Context(), "bucket", "key", upload(make([]byte, 32<<20)))
		check(t, err)
	})
}

// While a sandbox is frozen all its connections may die. A request has five attempts, and
// more dead connections than that must not use them up.
func TestDeadConnectionsCostOneAttempt(t *testing.T) {
	forEachClient(t, func(t *testing.T, name string) {
		var isThawed atomic.Bool
		var together sync.WaitGroup
		together.Add(8)
		server := httptest.NewUnstartedServer(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				if !isThawed.Load() { // so that each has a connection of its own
					together.Done()
					together.Wait()
				} else if r.Context().Value(bornFrozen{}).(bool) {
					connection, _, err := http.NewResponseController(w).Hijack()
					check(t, err)
					_ = connection.Close()
				}
			}))
		server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, bornFrozen{}, !isThawed.Load())
		}
		server.Start()
		defer server.Close()
		store := Open(settings(name, server.URL))
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				_, _, err := store.Get(t.Context(), "bucket", "k", 0)
				check(t, err)
			})
		}
		group.Wait()
		isThawed.Store(true)
		if _, _, err := store.Get(t.Context(), "bucket", "k", 0); err == nil {
			t.Error("the first connection is not dead")
		}
		_, _, err := store.Get(t.Context(), "bucket", "k", 0)
		check(t, err)
	})
}

type bornFrozen struct{}

// countConnections starts a server, which counts the connections that are made to it.
func countConnections(answer http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(answer)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	return server, &connections
}

// E9: a connection that was in use when an attempt failed is not used again either.
func TestConnectionsInUseAtAFailureAreGivenUp(t *testing.T) {
	forEachClient(t, func(t *testing.T, name string) {
		proceed, arrived := make(chan struct{}), make(chan struct{})
		server, connections := countConnections(
			func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/bucket/slow":
					close(arrived)
					<-proceed
				case "/bucket/dead":
					connection, _, err := http.NewResponseController(w).Hijack()
					check(t, err)
					_ = connection.Close()
				}
			})
		defer server.Close()
		store := Open(settings(name, server.URL))
		get := func(key string) error {
			_, _, err := store.Get(t.Context(), "bucket", key, 0)
			return err
		}
		slow := make(chan error)
		go func() { slow <- get("slow") }()
		<-arrived
		if get("dead") == nil {
			t.Error("the second connection is not dead")
		}
		close(proceed)
		check(t, <-slow)
		check(t, get("next"))
		check(t, get("last"))
		if n := connections.Load(); n != 3 {
			t.Errorf("%d connections, expected one for each of three", n)
		}
	})
}

// E9: a connection is used again for as long as it is not old.
func TestIdleConnectionsAge(t *testing.T) {
	forEachClient(t, func(t *testing.T, name string) {
		t.Parallel()
		server, connections := countConnections(func(http.ResponseWriter, *http.Request) {})
		defer server.Close()
		store := Open(settings(name, server.URL))
		for _, pause := range []time.Duration{0, 0, 5100 * time.Millisecond} {
			time.Sleep(pause)
			_, _, err := store.Get(t.Context(), "bucket", "k", 0)
			check(t, err)
		}
		if n := connections.Load(); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
}

// L8: 16 MiB are allowed, and an object may be longer.
func TestTheLengthOfAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		check(t, err)
		_, _ = w.Write(make([]byte, n))
	}))
	defer server.Close()
	client := newHTTPClient(aggregator.Config{}, silenceTimeout)
	for query, passes := range map[string]bool{
		"list-type=2&n=16777216": true, "list-type=2&n=16777217": false, "n=16777217": true,
	} {
		response, err := client.Get(server.URL + "?" + query)
		check(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		if _ = response.Body.Close(); (err == nil) != passes {
			t.Errorf("%s gives %v", query, err)
		}
	}
}
