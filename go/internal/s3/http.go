// The HTTP client under both S3 clients: net/http by its options, but for three things that it
// can't do by itself (SPEC E5, E9, L8):
//   - fail after a time without a byte: idleTimeoutConn;
//   - send a request once, and forget old connections after a failure: freshPool;
//   - bound every answer that is no object: freshPool.
//
// Holds the pool of idle connections, made once per sandbox.

package s3

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"rosetta/internal/aggregator"
)

const (
	connectTimeout = 3 * time.Second
	silenceTimeout = 10 * time.Second
	idleTimeout    = 5 * time.Second // net/http compares it with the wall clock before each use
	answerLimit    = 16 << 20        // bytes (L8)
)

// newHTTPClient keeps a connection for each request in flight, and follows no redirect. It obeys
// the settings and no other variable (S20, S21).
func newHTTPClient(config aggregator.Config, silence time.Duration) *http.Client {
	dialer := net.Dialer{Timeout: connectTimeout}
	transport := &http.Transport{
		Proxy: proxyOf(config),
		TLSClientConfig: &tls.Config{
			RootCAs:            config.Authorities,
			ClientSessionCache: tls.NewLRUClientSessionCache(0), // a resumed session is cheaper
		},
		MaxIdleConnsPerHost: config.Concurrency,
		MaxConnsPerHost:     config.Concurrency, // else net/http dials more than are in flight
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // a body is taken as stored (R3)
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &idleTimeoutConn{conn, silence}, nil
		},
	}
	pool := &freshPool{limit: answerLimit}
	pool.current.Store(transport)
	return &http.Client{
		Transport:     pool,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// proxyOf gives the proxy of requests over TLS, unless NO_PROXY has their host (S20).
func proxyOf(config aggregator.Config) func(*http.Request) (*url.URL, error) {
	return func(request *http.Request) (*url.URL, error) {
		isExcluded := matches(config.NoProxy, request.URL.Hostname())
		if config.Proxy == "" || request.URL.Scheme != "https" || isExcluded {
			return nil, nil
		}
		return url.Parse(config.Proxy)
	}
}

// matches is true for a host that a name of NO_PROXY stands for.
func matches(noProxy, host string) bool {
	host = strings.ToLower(host)
	noProxy = strings.ToLower(strings.ReplaceAll(noProxy, " ", ""))
	for name := range strings.SplitSeq(noProxy, ",") {
		if name == "*" {
			return true
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "*."), ".")
		name = strings.Trim(name, "[]") // a URL's host name has no brackets
		if name != "" && (host == name || strings.HasSuffix(host, "."+name)) {
			return true
		}
	}
	return false
}

// freshPool takes a new pool of connections when a request has had no answer: the other ones may
// be as dead as that of the request. The old pool closes each connection when it becomes idle.
type freshPool struct {
	current atomic.Pointer[http.Transport]
	limit   int64 // bytes of an answer that is no object
}

// RoundTrip sends a request once, so that each attempt is one of the five (E5). net/http repeats
// a GET by itself when a used connection breaks, but only if it can read the body again: so the
// GET has a body, an empty one, which can be read once.
func (p *freshPool) RoundTrip(request *http.Request) (*http.Response, error) {
	isGet := request.Method == http.MethodGet
	isObject := isGet && !strings.Contains(request.URL.RawQuery, "list-type=")
	if isGet {
		request = request.WithContext(request.Context()) // a shallow copy
		request.Body, request.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	transport := p.current.Load()
	response, err := transport.RoundTrip(request)
	if err != nil {
		if p.current.CompareAndSwap(transport, transport.Clone()) {
			transport.CloseIdleConnections()
		}
		return nil, err
	}
	if !isObject || response.StatusCode >= http.StatusMultipleChoices {
		response.Body = http.MaxBytesReader(nil, response.Body, p.limit)
	}
	return response, nil
}

// idleTimeoutConn fails after a time without a byte: while it waits for an answer, in the middle
// of a body, in a TLS handshake. A write also renews the reader's deadline, because net/http
// waits in Read on idle connections, too.
type idleTimeoutConn struct {
	net.Conn
	silence time.Duration
}

func (c *idleTimeoutConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *idleTimeoutConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
