// The HTTP client under both S3 clients: net/http by its options, but for three things that
// it can't do by itself (SPEC E5):
//   - fail after a time without a byte: silentConn;
//   - send a request once: once;
//   - forget connections that died while the sandbox was frozen: once, IdleConnTimeout.
//
// Holds the pool of idle connections, made once per sandbox.

package s3

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	connectTimeout = 3 * time.Second
	silenceTimeout = 10 * time.Second
	// idleTimeout is also compared with the wall clock before a connection is used again,
	// so that none is which was idle throughout a longer freeze.
	idleTimeout = 10 * time.Second
)

// newHTTPClient keeps a connection for each request in flight, and follows no redirect.
func newHTTPClient(connections int, silence time.Duration) *http.Client {
	dialer := net.Dialer{Timeout: connectTimeout}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // a body is taken as stored (R3)
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &silentConn{conn, silence}, nil
		},
	}
	return &http.Client{
		Transport:     once{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// once sends a request once. net/http would send a GET again, without a word, when a
// connection that it used before breaks; but E5 counts attempts. After a failure all idle
// connections are closed: they may be as dead as this one, and five of them would use up
// the five attempts of a request.
type once struct{ *http.Transport }

// RoundTrip hides from net/http that a GET may be repeated: a body that can't be read anew
// says so, even an empty one.
func (o once) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		request = request.WithContext(request.Context()) // a shallow copy
		request.Body, request.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	response, err := o.Transport.RoundTrip(request)
	if err != nil {
		o.CloseIdleConnections()
	}
	return response, err
}

// silentConn fails after a time without a byte: while it waits for an answer, in the middle
// of a body, in a TLS handshake. A write also renews the reader's deadline, because net/http
// waits in Read on idle connections, too.
type silentConn struct {
	net.Conn
	silence time.Duration
}

func (c *silentConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *silentConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
