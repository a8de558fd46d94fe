// Under step store: S3 by net/http, encoding/xml and two parts of AWS's SDK, the signer and
// the rules that give a bucket its host (SPEC S10, S11, L4, R1, R3, E5).
// Holds the URL of each bucket, made once per sandbox.

package aggregator

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type lightStore struct {
	sender      sender
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	region      string
	urls        map[string]string // by bucket, without a slash at the end
	noURL       error             // S10 allows hosts that are none
}

func newLightStore(config Config, sender sender) *lightStore {
	s := &lightStore{
		sender: sender, credentials: newCredentials(config.Credentials, sender), region: config.Region,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), // as S3 has it
		urls:   map[string]string{},
	}
	for _, bucket := range []string{config.SourceBucket, config.DestinationBucket} {
		endpoint := resolveEndpoint(config, bucket)
		s.urls[bucket] = strings.TrimSuffix(endpoint.URI.String(), "/")
		s.noURL = cmp.Or(s.noURL, endpoint.err)
	}
	return s
}

func (s *lightStore) listPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error) {
	query := url.Values{
		"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {prefix}, "delimiter": {delimiter}, "continuation-token": {token},
	}
	maps.DeleteFunc(query, func(_ string, values []string) bool { return values[0] == "" })
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		EncodingType          string
		NextContinuationToken string
		Contents              []Object
		Prefixes              []string `xml:"CommonPrefixes>Prefix"`
	}
	if err := s.ask(ctx, http.MethodGet, bucket, "?"+query.Encode(), http.Header{}, &answer); err != nil {
		return Page{}, err
	}
	return Page{answer.Contents, answer.Prefixes, answer.NextContinuationToken}.decoded(answer.EncodingType)
}

func (s *lightStore) get(ctx context.Context, bucket, key string, limit int) ([]byte, error) {
	response, err := s.send(ctx, http.MethodGet, bucket, "/"+escapePath(key), http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	return readBody(response.Body, response.ContentLength, limit)
}

func (s *lightStore) put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error {
	return finished(s.send(ctx, http.MethodPut, bucket, "/"+escapePath(key), http.Header{"Content-Type": {contentType}}, body))
}

// copy takes only the result for success: S3 may begin with 200 and end with an Error.
func (s *lightStore) copy(ctx context.Context, bucket, from, to string) error {
	var answer struct {
		XMLName xml.Name `xml:"CopyObjectResult"`
	}
	header := http.Header{"X-Amz-Copy-Source": {escapePath(bucket + "/" + from)}}
	return s.ask(ctx, http.MethodPut, bucket, "/"+escapePath(to), header, &answer)
}

func (s *lightStore) delete(ctx context.Context, bucket, key string) error {
	return finished(s.send(ctx, http.MethodDelete, bucket, "/"+escapePath(key), http.Header{}, nil))
}

// ask sends what is answered in XML and reads the answer into a struct.
func (s *lightStore) ask(ctx context.Context, method, bucket, rest string, header http.Header, answer any) error {
	response, err := s.send(ctx, method, bucket, rest, header, nil)
	if err != nil {
		return err
	}
	return readXML(response.Body, answer)
}

// send makes a signed request and gives its answer, unless that refuses. The rest is what
// follows the bucket's URL; body may be nil.
func (s *lightStore) send(ctx context.Context, method, bucket, rest string, header http.Header, body *io.SectionReader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.urls[bucket]+rest, nil)
	if err = cmp.Or(s.noURL, err); err != nil {
		return nil, err
	}
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	if body != nil {
		if _, err := io.Copy(hash, io.NewSectionReader(body, 0, body.Size())); err != nil {
			return nil, err
		}
		request.Body, request.ContentLength = io.NopCloser(body), body.Size()
	}
	digest := hex.EncodeToString(hash.Sum(nil))
	header["X-Amz-Content-Sha256"] = []string{digest}
	request.Header = header
	if err := s.signer.SignHTTP(ctx, credentials, request, digest, "s3", s.region, time.Now()); err != nil {
		return nil, err
	}
	response, err := s.sender.Do(request)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = refusal(response)
	}
	return response, err
}

// refusal reads an answer that is none. One without XML is told by its status.
func refusal(response *http.Response) error {
	var answer struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if err := readXML(response.Body, &answer); err != nil {
		answer.Code = response.Status
	}
	return &awshttp.ResponseError{
		RequestID: response.Header.Get("X-Amz-Request-Id"),
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: response},
			Err:      &smithy.GenericAPIError{Code: answer.Code, Message: answer.Message},
		},
	}
}
