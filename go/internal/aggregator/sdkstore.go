// Under step store: S3 by AWS's SDK, which may not retry, log or wait by itself (SPEC S10,
// S11, L4, R3, E5). Holds the SDK's client, made once per sandbox.

package aggregator

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

// errNoResult is for what the SDK takes as a result: any XML under a 200.
var errNoResult = errors.New("200 without a result")

type sdkStore struct{ s3 *s3.Client }

func newSDKStore(config Config, sender sender) sdkStore {
	resolver := newResolver(config)
	return sdkStore{s3.New(s3.Options{
		Region:                       config.Region,
		EndpointResolverV2:           resolver,
		AuthSchemeResolver:           resolver,
		APIOptions:                   []func(*middleware.Stack) error{leaveOut},
		Credentials:                  newCredentials(config.Credentials, sender),
		HTTPClient:                   sender,
		Retryer:                      aws.NopRetryer{},
		Logger:                       logging.Nop{},
		RequestChecksumCalculation:   aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation:   aws.ResponseChecksumValidationWhenRequired,
		ContinueHeaderThresholdBytes: -1, // a chunk need not wait for "100 Continue"
	})}
}

func (s sdkStore) listPage(ctx context.Context, bucket, prefix, delimiter, token string) (Page, error) {
	output, err := s.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl,
		Delimiter: optional(delimiter), ContinuationToken: optional(token),
	})
	if err != nil {
		return Page{}, err
	}
	if output.IsTruncated == nil {
		return Page{}, errNoResult // else an empty page, which would end the listing
	}
	page := Page{Next: aws.ToString(output.NextContinuationToken)}
	for _, object := range output.Contents {
		page.Objects = append(page.Objects, Object{aws.ToString(object.Key), aws.ToInt64(object.Size)})
	}
	for _, common := range output.CommonPrefixes {
		page.Prefixes = append(page.Prefixes, aws.ToString(common.Prefix))
	}
	return page.decoded(string(output.EncodingType))
}

func (s sdkStore) get(ctx context.Context, bucket, key string, limit int) ([]byte, error) {
	output, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	length := int64(unknownLength)
	if output.ContentLength != nil {
		length = *output.ContentLength
	}
	return readBody(output.Body, length, limit)
}

func (s sdkStore) put(ctx context.Context, bucket, key string, body *io.SectionReader, contentType string) error {
	_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: body, ContentType: &contentType,
	})
	return err
}

func (s sdkStore) copy(ctx context.Context, bucket, from, to string) error {
	source := escapePath(bucket + "/" + from)
	output, err := s.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &to, CopySource: &source})
	if err == nil && output.CopyObjectResult.ETag == nil {
		err = errNoResult
	}
	return err
}

func (s sdkStore) delete(ctx context.Context, bucket, key string) error {
	_, err := s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	return err
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
