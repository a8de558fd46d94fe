// S3 by AWS's SDK, made by its documented options. What it can't do by options alone:
//   - E5, at most five attempts, each one logged: it sends a GET again by itself when a
//     connection that it used before breaks, so the HTTP client is ours (see freshPool);
//   - E5, 10 seconds without a byte: its WithReadTimeout counts received bytes only, so an
//     upload that takes longer would fail (see idleTimeoutConn);
//   - E5, no redirect: its own HTTP client follows 307 and 308 (see newHTTPClient);
//   - E5, a 200 without a result: it takes any XML for one (see errNoResult, listing.page);
//   - E5, a refusal that breaks off: it gives the refusal's status all the same, and E4, a code:
//     it makes up a code where S3 gives none (see plainAnswers);
//   - E5, any header: it fails an answer with a Last-Modified, for instance, that it can't read
//     (see plainAnswers);
//   - L4, any key: it decodes no key of a listing that was asked for with encoding-type=url;
//   - L8, 16 MiB: it reads an answer of any length (see freshPool);
//   - E9, after a failure: it keeps the other connections (see freshPool).
//
// Holds the SDK's client, made once per sandbox.

package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"rosetta/internal/aggregator"
)

var errNoResult = errors.New("200 without a result")

type sdkClient struct{ s3 *s3.Client }

func newSDK(config aggregator.Config, client *http.Client) sdkClient {
	return sdkClient{s3.New(s3.Options{
		Region:                     config.Region,
		BaseEndpoint:               optional(config.Endpoint),
		UsePathStyle:               config.Endpoint != "",
		Credentials:                newCredentials(config),
		HTTPClient:                 plainAnswers{client},
		Retryer:                    aws.NopRetryer{}, // repeating is the part of step attempts
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, // W14
		// a chunk need not wait for "100 Continue"
		ContinueHeaderThresholdBytes: -1,
		// the SDK asks directory buckets (names in --x-s3) for a session; no clause has one
		DisableS3ExpressSessionAuth: aws.Bool(true),
	})}
}

func (c sdkClient) ListPage(
	ctx context.Context, bucket, prefix, delimiter, token string,
) (aggregator.Page, error) {
	output, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl,
		Delimiter: optional(delimiter), ContinuationToken: optional(token),
	})
	if err != nil {
		return aggregator.Page{}, asRefusal(err)
	}
	listed := listing{
		encoding: string(output.EncodingType), isTruncated: output.IsTruncated,
		next: aws.ToString(output.NextContinuationToken),
	}
	for _, found := range output.Contents {
		if found.Size == nil {
			return aggregator.Page{}, errNoResult
		}
		object := aggregator.Object{Key: aws.ToString(found.Key), Size: *found.Size}
		listed.objects = append(listed.objects, object)
	}
	for _, common := range output.CommonPrefixes {
		listed.prefixes = append(listed.prefixes, aws.ToString(common.Prefix))
	}
	return listed.page(prefix)
}

func (c sdkClient) Get(
	ctx context.Context, bucket, key string, limit int,
) (body []byte, etag string, err error) {
	output, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, "", asRefusal(err)
	}
	length := int64(unknownLength)
	if output.ContentLength != nil {
		length = *output.ContentLength
	}
	body, err = readBody(output.Body, length, limit)
	return body, aws.ToString(output.ETag), err
}

func (c sdkClient) Put(
	ctx context.Context, bucket, key string, upload aggregator.Upload,
) (etag string, err error) {
	output, err := c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentType: &upload.ContentType,
		Body:        io.NewSectionReader(upload.Body, 0, upload.Body.Size()),
		IfMatch:     header(upload.Condition, "If-Match"),
		IfNoneMatch: header(upload.Condition, "If-None-Match"),
	})
	if err != nil {
		return "", asRefusal(err)
	}
	return aws.ToString(output.ETag), nil
}

func (c sdkClient) Copy(ctx context.Context, bucket, from, to string) error {
	source := escapePath(bucket + "/" + from)
	output, err := c.s3.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &bucket, Key: &to, CopySource: &source,
	})
	if err != nil {
		return asRefusal(err)
	}
	if result := output.CopyObjectResult; result == nil || result.ETag == nil {
		return errNoResult
	}
	return nil
}

func (c sdkClient) Delete(
	ctx context.Context, bucket, key string, condition aggregator.Condition,
) error {
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: &bucket, Key: &key, IfMatch: header(condition, "If-Match"),
	})
	return asRefusal(err)
}

// header gives the condition's value if it is of this header.
func header(condition aggregator.Condition, name string) *string {
	if condition.Header != name {
		return nil
	}
	return &condition.Value
}

// plainAnswers gives the SDK no header that the clauses do not need. It reads a refusal to its
// end, and marks one without a code of S3, for which the SDK makes up a code.
type plainAnswers struct{ *http.Client }

const noCode = "No-Code"

func (c plainAnswers) Do(request *http.Request) (*http.Response, error) {
	response, err := c.Client.Do(request)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(response.Header, func(name string, _ []string) bool {
		return !slices.Contains([]string{"Content-Length", "Etag", "X-Amz-Request-Id"}, name)
	})
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	text, err := readBody(response.Body, unknownLength, answerLimit)
	if err != nil {
		return nil, err
	}
	if code, _ := errorOf(text); code == "" {
		response.Header.Set(noCode, "true")
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response, nil
}

// asRefusal makes the SDK's error for an answer the steps' own; any other one stays.
func asRefusal(err error) error {
	answer, isAnswer := errors.AsType[*awshttp.ResponseError](err)
	if !isAnswer || answer.HTTPStatusCode() < http.StatusMultipleChoices { // 0: no answer
		return err
	}
	refusal := &aggregator.Refusal{Status: answer.HTTPStatusCode(), Cause: err}
	named, hasCode := errors.AsType[smithy.APIError](err)
	if hasCode && answer.Response.Header.Get(noCode) == "" {
		refusal.Code = named.ErrorCode()
	}
	return refusal
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
