// S3 by net/http, encoding/xml and two parts of AWS's SDK: the signer, and the rules that give
// a bucket its host (SPEC S10, S11, L4, R1, R3, W14, E5).
// Holds the URL of each bucket, made once per sandbox.

package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
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
	urlErr      error             // S10 allows hosts for which the rules give no URL
}

func newLight(config aggregator.Config, client *http.Client) *lightClient {
	c := &lightClient{
		http: client, credentials: newCredentials(config), region: config.Region,
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
		if err != nil {
			c.urlErr = err
		}
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
		IsTruncated           string
		NextContinuationToken string
		Contents              []struct{ Key, Size string }
		CommonPrefixes        []struct{ Prefix string }
	}
	err := c.ask(ctx, http.MethodGet, bucket, "?"+query.Encode(), http.Header{}, &answer)
	if err != nil {
		return aggregator.Page{}, err
	}
	listed := listing{encoding: answer.EncodingType, next: answer.NextContinuationToken}
	for _, common := range answer.CommonPrefixes {
		listed.prefixes = append(listed.prefixes, common.Prefix)
	}
	switch answer.IsTruncated {
	case "true", "false":
		listed.isTruncated = aws.Bool(answer.IsTruncated == "true")
	}
	for _, found := range answer.Contents {
		size, err := strconv.ParseInt(found.Size, 10, 64)
		if err != nil {
			return aggregator.Page{}, err
		}
		listed.objects = append(listed.objects, aggregator.Object{Key: found.Key, Size: size})
	}
	return listed.page(prefix)
}

func (c *lightClient) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	response, err := c.send(ctx, http.MethodGet, bucket, "/"+escapePath(key), http.Header{}, nil)
	if err != nil {
		return nil, "", err
	}
	body, err = readBody(response.Body, response.ContentLength, limit)
	return body, response.Header.Get("ETag"), err
}

func (c *lightClient) Put(
	ctx context.Context, bucket, key string, upload aggregator.Upload,
) (etag string, err error) {
	header := depending(upload.Condition)
	header.Set("Content-Type", upload.ContentType)
	response, err := c.send(ctx, http.MethodPut, bucket, "/"+escapePath(key), header, upload.Body)
	if err != nil {
		return "", err
	}
	return response.Header.Get("ETag"), finish(response)
}

// Copy takes only the result for success: S3 may begin with 200 and end with an Error. That counts
// as 500, as in the SDK.
func (c *lightClient) Copy(ctx context.Context, bucket, from, to string) error {
	var answer struct {
		XMLName             xml.Name
		Code, Message, ETag string
	}
	header := http.Header{"X-Amz-Copy-Source": {escapePath(bucket + "/" + from)}}
	err := c.ask(ctx, http.MethodPut, bucket, "/"+escapePath(to), header, &answer)
	switch {
	case err != nil:
		return err
	case answer.XMLName.Local == "Error":
		cause := errors.New("200 with an error: " + answer.Message)
		return &aggregator.Refusal{
			Status: http.StatusInternalServerError, Code: answer.Code, Cause: cause,
		}
	case answer.XMLName.Local != "CopyObjectResult" || answer.ETag == "":
		return errNoResult
	}
	return nil
}

func (c *lightClient) Delete(
	ctx context.Context, bucket, key string, condition aggregator.Condition,
) error {
	path := "/" + escapePath(key)
	response, err := c.send(ctx, http.MethodDelete, bucket, path, depending(condition), nil)
	if err != nil {
		return err
	}
	return finish(response)
}

// depending gives the header of a write that has a condition or none.
func depending(condition aggregator.Condition) http.Header {
	header := http.Header{}
	if condition != (aggregator.Condition{}) {
		header.Set(condition.Header, condition.Value)
	}
	return header
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
	if c.urlErr != nil {
		return nil, c.urlErr
	}
	request, err := http.NewRequestWithContext(ctx, method, c.urls[bucket]+rest, nil)
	if err != nil {
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
		return nil, readRefusal(response)
	}
	return response, err
}

func (c *lightClient) sign(request *http.Request, body *io.SectionReader) error {
	ctx := request.Context()
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	hash, checksum := sha256.New(), crc32.NewIEEE()
	if body != nil {
		text := io.NewSectionReader(body, 0, body.Size())
		if _, err := io.Copy(io.MultiWriter(hash, checksum), text); err != nil {
			return err
		}
		sum := base64.StdEncoding.EncodeToString(checksum.Sum(nil))
		request.Header.Set("X-Amz-Checksum-Crc32", sum) // W14
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	request.Header.Set("X-Amz-Content-Sha256", digest)
	return c.signer.SignHTTP(ctx, credentials, request, digest, "s3", c.region, time.Now())
}

// readRefusal reads an answer without a result. One that breaks off is no Refusal.
func readRefusal(response *http.Response) error {
	text, err := readBody(response.Body, unknownLength, answerLimit)
	if err != nil {
		return err
	}
	code, message := errorOf(text)
	id := response.Header.Get("X-Amz-Request-Id")
	cause := fmt.Errorf("%s %s: %s (request %s)", response.Status, code, message, id)
	return &aggregator.Refusal{Status: response.StatusCode, Code: code, Cause: cause}
}
