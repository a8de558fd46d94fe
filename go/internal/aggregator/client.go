// Under step store: the SDK's client, the connections under it and how its answers are
// read (SPEC S10, S16, L4, R3, E5). Neither the SDK nor net/http may retry, inflate or
// log by itself.
// Holds the pool of idle connections, made once per sandbox.

package aggregator

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
)

const (
	connectTimeout = 3 * time.Second
	silenceTimeout = 10 * time.Second
)

// newClient makes the S3 client of a sandbox. It sends nothing.
func newClient(config Config) *s3.Client {
	client := &http.Client{
		Transport:     oneTry{newTransport(config.Concurrency, silenceTimeout)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s3.New(s3.Options{
		Region:                       config.Region,
		BaseEndpoint:                 optional(config.Endpoint),
		Credentials:                  newCredentials(config.Credentials, client),
		HTTPClient:                   client,
		Retryer:                      aws.NopRetryer{},
		Logger:                       logging.Nop{},
		RequestChecksumCalculation:   aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:   aws.ResponseChecksumValidationWhenRequired,
		ContinueHeaderThresholdBytes: -1, // a chunk need not wait for "100 Continue"
	})
}

// newCredentials asks the container endpoint where the environment has no keys (S16).
func newCredentials(c Credentials, client *http.Client) aws.CredentialsProvider {
	if c.AccessKeyID != "" && c.SecretAccessKey != "" || c.Endpoint == "" {
		return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	provider := endpointcreds.New(c.Endpoint, func(o *endpointcreds.Options) {
		o.AuthorizationToken = c.EndpointToken
		o.HTTPClient = client
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

// oneTry hides from net/http that a GET may be replayed. It would silently send it again
// when a reused connection breaks, and E5 counts attempts.
type oneTry struct{ next http.RoundTripper }

func (t oneTry) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet {
		request = request.WithContext(request.Context()) // a shallow copy
		request.Body, request.GetBody = io.NopCloser(strings.NewReader("")), nil
	}
	return t.next.RoundTrip(request)
}

// readBody reads to the end; net/http reports a body shorter than its Content-Length.
func readBody(output *s3.GetObjectOutput, limit int) ([]byte, error) {
	if output.ContentLength == nil { // chunked
		body, err := io.ReadAll(io.LimitReader(output.Body, int64(limit)+1))
		if len(body) > limit {
			return nil, TooLarge
		}
		return body, err
	}
	if *output.ContentLength > int64(limit) {
		return nil, TooLarge
	}
	body := make([]byte, *output.ContentLength)
	_, err := io.ReadFull(output.Body, body)
	return body, err
}

// decodePage undoes the encoding that the listing asked for: with it, XML can carry any key (L4).
func decodePage(output *s3.ListObjectsV2Output) (Page, error) {
	page := Page{Next: aws.ToString(output.NextContinuationToken)}
	decode := func(text *string) (string, error) {
		if output.EncodingType != types.EncodingTypeUrl {
			return aws.ToString(text), nil
		}
		return url.QueryUnescape(aws.ToString(text))
	}
	for _, object := range output.Contents {
		key, err := decode(object.Key)
		if err != nil {
			return Page{}, err
		}
		page.Objects = append(page.Objects, Object{key, aws.ToInt64(object.Size)})
	}
	for _, common := range output.CommonPrefixes {
		prefix, err := decode(common.Prefix)
		if err != nil {
			return Page{}, err
		}
		page.Prefixes = append(page.Prefixes, prefix)
	}
	return page, nil
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
