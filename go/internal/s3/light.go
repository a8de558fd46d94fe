// S3 by net/http, encoding/xml and two parts of AWS's SDK: the signer, and the rules that give
// a bucket its host (SPEC S10, S11, L4, R1, R3, E5).
// Holds the URL of each bucket, made once per sandbox.

package s3

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rosetta/internal/aggregator"
)

type lightClient struct {
	http        *http.Client
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	region      string
	urls        map[string]string // by bucket, without a slash at the end
	noURL       error             // S10 allows hosts for which the rules give no URL
}

func newLight(config aggregator.Config, client *http.Client) *lightClient {
	c := &lightClient{
		http: client, credentials: newCredentials(config.Credentials, client), region: config.Region,
		// S3 signs paths as they are sent, other services escape them again
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		urls:   map[string]string{},
	}
	for _, bucket := range []string{config.SourceBucket, config.DestinationBucket} {
		endpoint, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(
			context.Background(), s3.EndpointParameters{
				Bucket: &bucket, Region: &config.Region,
				Endpoint: optional(config.Endpoint), ForcePathStyle: aws.Bool(config.Endpoint != ""),
			})
		c.urls[bucket] = strings.TrimSuffix(endpoint.URI.String(), "/")
		c.noURL = cmp.Or(c.noURL, err)
	}
	return c
}

func (c *lightClient) ListPage(
	ctx context.Context, bucket, prefix, delimiter, token string,
) (aggregator.Page, error) {
	query := url.Values{
		"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {prefix},
		"delimiter": {delimiter}, "continuation-token": {token},
	}
	maps.DeleteFunc(query, func(_ string, values []string) bool { return values[0] == "" })
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		EncodingType          string
		NextContinuationToken string
		Contents              []aggregator.Object
		Prefixes              []string `xml:"CommonPrefixes>Prefix"`
	}
	err := c.ask(ctx, http.MethodGet, bucket, "?"+query.Encode(), http.Header{}, &answer)
	if err != nil {
		return aggregator.Page{}, err
	}
	page := aggregator.Page{
		Objects: answer.Contents, Prefixes: answer.Prefixes, Next: answer.NextContinuationToken,
	}
	return decode(page, answer.EncodingType)
}

func (c *lightClient) Get(ctx context.Context, bucket, key string, limit int) ([]byte, error) {
	response, err := c.send(ctx, http.MethodGet, bucket, "/"+escapePath(key), http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	return readBody(response.Body, response.ContentLength, limit)
}

func (c *lightClient) Put(
	ctx context.Context, bucket, key string, body *io.SectionReader, contentType string,
) error {
	header := http.Header{"Content-Type": {contentType}}
	return finish(c.send(ctx, http.MethodPut, bucket, "/"+escapePath(key), header, body))
}

// Copy takes only the result for success: S3 may begin with 200 and end with an Error.
func (c *lightClient) Copy(ctx context.Context, bucket, from, to string) error {
	var answer struct {
		XMLName xml.Name `xml:"CopyObjectResult"`
	}
	header := http.Header{"X-Amz-Copy-Source": {escapePath(bucket + "/" + from)}}
	return c.ask(ctx, http.MethodPut, bucket, "/"+escapePath(to), header, &answer)
}

func (c *lightClient) Delete(ctx context.Context, bucket, key string) error {
	return finish(c.send(ctx, http.MethodDelete, bucket, "/"+escapePath(key), http.Header{}, nil))
}

// ask sends a request whose answer is XML, and reads the answer into a struct.
func (c *lightClient) ask(
	ctx context.Context, method, bucket, rest string, header http.Header, answer any,
) error {
	response, err := c.send(ctx, method, bucket, rest, header, nil)
	if err != nil {
		return err
	}
	return readXML(response.Body, answer)
}

// send makes a signed request and gives its answer, or a Refusal. The rest is what follows
// the bucket's URL; the body may be nil.
func (c *lightClient) send(
	ctx context.Context, method, bucket, rest string, header http.Header, body *io.SectionReader,
) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.urls[bucket]+rest, nil)
	if err = cmp.Or(c.noURL, err); err != nil {
		return nil, err
	}
	request.Header = header
	if body != nil {
		request.Body = io.NopCloser(io.NewSectionReader(body, 0, body.Size()))
		request.ContentLength = body.Size()
	}
	if err := c.sign(request, body); err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		return nil, refusal(response)
	}
	return response, err
}

func (c *lightClient) sign(request *http.Request, body *io.SectionReader) error {
	ctx := request.Context()
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	hash := sha256.New()
	if body != nil {
		if _, err := io.Copy(hash, io.NewSectionReader(body, 0, body.Size())); err != nil {
			return err
		}
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	request.Header.Set("X-Amz-Content-Sha256", digest)
	return c.signer.SignHTTP(ctx, credentials, request, digest, "s3", c.region, time.Now())
}

// refusal reads an answer without a result. One that is no XML has its status for a code.
func refusal(response *http.Response) error {
	var answer struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if err := readXML(response.Body, &answer); err != nil {
		answer.Code = response.Status
	}
	id := response.Header.Get("X-Amz-Request-Id")
	cause := fmt.Errorf("%d %s: %s (request %s)", response.StatusCode, answer.Code, answer.Message, id)
	return &aggregator.Refusal{Status: response.StatusCode, Code: answer.Code, Cause: cause}
}
