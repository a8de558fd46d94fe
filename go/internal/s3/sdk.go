// S3 by AWS's SDK, made by its documented options. What it can't do by options alone:
//   - E5, at most five attempts, each one logged: it sends a GET again by itself when a
//     connection that it used before breaks, so the HTTP client is ours (see once);
//   - E5, 10 seconds without a byte: its WithReadTimeout counts received bytes only, so an
//     upload that takes longer would fail (see silentConn);
//   - E5, no redirect: its own HTTP client follows 307 and 308 (see newHTTPClient);
//   - E5, a 200 without a result: it takes any XML for one (see errNoResult);
//   - L4, any key: it decodes no key of a listing that was asked for with encoding-type=url.
//
// Holds the SDK's client, made once per sandbox.

package s3

import (
	"context"
	"errors"
	"io"
	"net/http"

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
		Region:                       config.Region,
		BaseEndpoint:                 optional(config.Endpoint),
		UsePathStyle:                 config.Endpoint != "",
		Credentials:                  newCredentials(config.Credentials, client),
		HTTPClient:                   client,
		Retryer:                      aws.NopRetryer{}, // repeating is the part of step attempts
		RequestChecksumCalculation:   aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:   aws.ResponseChecksumValidationWhenRequired,
		ContinueHeaderThresholdBytes: -1, // a chunk need not wait for "100 Continue"
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
		return aggregator.Page{}, refused(err)
	}
	if output.IsTruncated == nil {
		return aggregator.Page{}, errNoResult // else an empty page, which would end the listing
	}
	page := aggregator.Page{Next: aws.ToString(output.NextContinuationToken)}
	for _, found := range output.Contents {
		object := aggregator.Object{Key: aws.ToString(found.Key), Size: aws.ToInt64(found.Size)}
		page.Objects = append(page.Objects, object)
	}
	for _, common := range output.CommonPrefixes {
		page.Prefixes = append(page.Prefixes, aws.ToString(common.Prefix))
	}
	return decode(page, string(output.EncodingType))
}

func (c sdkClient) Get(ctx context.Context, bucket, key string, limit int) ([]byte, error) {
	output, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, refused(err)
	}
	length := int64(unknownLength)
	if output.ContentLength != nil {
		length = *output.ContentLength
	}
	return readBody(output.Body, length, limit)
}

func (c sdkClient) Put(
	ctx context.Context, bucket, key string, body *io.SectionReader, contentType string,
) error {
	_, err := c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentType: &contentType,
		Body: io.NewSectionReader(body, 0, body.Size()),
	})
	return refused(err)
}

func (c sdkClient) Copy(ctx context.Context, bucket, from, to string) error {
	source := escapePath(bucket + "/" + from)
	output, err := c.s3.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &bucket, Key: &to, CopySource: &source,
	})
	if err != nil {
		return refused(err)
	}
	if result := output.CopyObjectResult; result == nil || result.ETag == nil {
		return errNoResult
	}
	return nil
}

func (c sdkClient) Delete(ctx context.Context, bucket, key string) error {
	_, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return refused(err)
}

// refused makes the SDK's error for an answer the steps' own; any other one stays.
func refused(err error) error {
	answer, isAnswer := errors.AsType[*awshttp.ResponseError](err)
	if !isAnswer || answer.HTTPStatusCode() == 0 { // 0: there was no answer
		return err
	}
	refusal := &aggregator.Refusal{Status: answer.HTTPStatusCode(), Cause: err}
	if named, ok := errors.AsType[smithy.APIError](err); ok {
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
