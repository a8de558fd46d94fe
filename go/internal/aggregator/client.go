// Under step store: what both clients stand on, connections, credentials and how answers
// are read (SPEC S16, L4, R3, E5). net/http may not retry, redirect or inflate by itself.
// Holds the pool of idle connections, made once per sandbox.

package aggregator

import (
	"context"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/smithy-go/encoding/httpbinding"
)

const (
	connectTimeout = 3 * time.Second
	silenceTimeout = 10 * time.Second
)

// sender sends a request once, whatever becomes of it, and follows no redirect. It is what
// the SDK calls an HTTP client.
type sender struct{ transport http.RoundTripper }

func newSender(connections int) sender { return sender{newTransport(connections, silenceTimeout)} }

// Do hides from net/http that a GET may be replayed. It would silently send it again
// when a reused connection breaks, and E5 counts attempts.
func (s sender) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		request = request.WithContext(request.Context()) // a shallow copy
		request.Body, request.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	return s.transport.RoundTrip(request)
}

// newCredentials asks the container endpoint where the environment has no keys (S16).
func newCredentials(c Credentials, sender sender) aws.CredentialsProvider {
	if c.AccessKeyID != "" && c.SecretAccessKey != "" || c.Endpoint == "" {
		return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	provider := endpointcreds.New(c.Endpoint, func(o *endpointcreds.Options) {
		o.AuthorizationToken = c.EndpointToken
		o.HTTPClient = sender
		o.Retryer = aws.NopRetryer{}
	})
	return aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = time.Minute
	})
}

// newTransport keeps a connection for each request in flight.
func newTransport(connections int, silence time.Duration) *http.Transport {
	dialer := net.Dialer{Timeout: connectTimeout}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: connections,
		DisableCompression:  true, // a body is taken as stored (R3)
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      16 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &impatientConn{conn, silence}, nil
		},
	}
}

// impatientConn fails after a time without a byte: while it waits for an answer, in
// the middle of a body, in a TLS handshake. A write also renews the reader's deadline,
// because net/http waits in Read on idle connections, too.
type impatientConn struct {
	net.Conn
	silence time.Duration
}

func (c *impatientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *impatientConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// unknownLength is that of a body that comes in pieces, as net/http has it.
const unknownLength = -1

// readBody reads to the end and closes; net/http reports a body shorter than its length.
func readBody(body io.ReadCloser, length int64, limit int) ([]byte, error) {
	defer body.Close()
	if length > int64(limit) {
		return nil, TooLarge
	}
	if length >= 0 {
		text := make([]byte, length)
		_, err := io.ReadFull(body, text)
		return text, err
	}
	text, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if len(text) > limit {
		return nil, TooLarge
	}
	return text, err
}

// readXML reads to the end and closes, so that the connection can be used again.
func readXML(body io.ReadCloser, answer any) error {
	defer body.Close()
	if err := xml.NewDecoder(body).Decode(answer); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// finished waits for the end of an answer that says nothing more.
func finished(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// escapePath is for URLs; url.PathEscape would leave '+' alone, which S3 reads as a space.
func escapePath(path string) string { return httpbinding.EscapePath(path, false) }

// decoded undoes the encoding that the listing asked for: with it, XML can carry any key (L4).
func (p Page) decoded(encoding string) (_ Page, err error) {
	if encoding != "url" {
		return p, nil
	}
	for i := range p.Objects {
		if p.Objects[i].Key, err = url.QueryUnescape(p.Objects[i].Key); err != nil {
			return Page{}, err
		}
	}
	for i := range p.Prefixes {
		if p.Prefixes[i], err = url.QueryUnescape(p.Prefixes[i]); err != nil {
			return Page{}, err
		}
	}
	return p, nil
}
