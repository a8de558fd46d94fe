// Under step store: what of the SDK's work is left out or done once, for it would be done at
// each request and no request of the contract needs it (SPEC S1, S10, E5).
// Holds the endpoint of each bucket, made once per sandbox.

package aggregator

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/auth"
	transport "github.com/aws/smithy-go/endpoints"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// endpoint is what the SDK's rules give for a bucket; S10 allows hosts that are none.
type endpoint struct {
	transport.Endpoint
	err error
}

func resolveEndpoint(config Config, bucket string) endpoint {
	found, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(context.Background(), s3.EndpointParameters{
		Bucket: &bucket, Region: &config.Region,
		Endpoint: optional(config.Endpoint), ForcePathStyle: aws.Bool(config.Endpoint != ""),
	})
	return endpoint{found, err}
}

// resolver answers the SDK, which asks for the endpoint and how to sign for it at each request.
type resolver struct{ byBucket map[string]endpoint }

func newResolver(config Config) *resolver {
	r := resolver{map[string]endpoint{}}
	for _, bucket := range []string{config.SourceBucket, config.DestinationBucket} {
		r.byBucket[bucket] = resolveEndpoint(config, bucket)
	}
	return &r
}

func (r *resolver) ResolveEndpoint(_ context.Context, request s3.EndpointParameters) (transport.Endpoint, error) {
	found := r.byBucket[*request.Bucket]
	return found.Endpoint, found.err
}

// ResolveAuthSchemes gives a new one each time: the SDK adds to it what the endpoint says.
func (r *resolver) ResolveAuthSchemes(context.Context, *s3.AuthResolverParameters) ([]*auth.Option, error) {
	return []*auth.Option{{SchemeID: auth.SchemeIDSigV4}}, nil
}

// Steps that do nothing for a request of the contract, or what nobody asked for. That the SDK
// still has them is tested.
var (
	unusedInitialize = []string{
		"AWSChecksum:SetupOutputContext", // as configured, an answer's checksum is not looked at
		"S3Shared:ARNLookup",             // a bucket is a name (S1), no ARN
	}
	unusedSerialize = []string{
		"putBucketContext", "isExpressUserAgent", // directory buckets
		"S3:ProcessARNResource", "S3:ObjectLambdaEndpoint",
		// the resolver of endpoints before this one
		"ResolveEndpoint", "serializeImmutableHostnameBucket", "S3:UpdateEndpoint", "S3:RemoveBucketFromPathMiddleware",
	}
	unusedBuild = []string{
		"AWSChecksum:ResponseMetricsTracking", "AWSChecksum:RequestMetricsTracking", // words for the next one
		"UserAgent", "ClientRequestID", "RecursionDetection", // headers that S3 has no use for
	}
	unusedFinalize = []string{
		"Retry", // repeating is the part of step attempts
		"InterceptBeforeRetryLoop", "InterceptAttempt",
	}
	unusedDeserialize = []string{
		"RecordResponseTiming", // for clocks that go wrong, which E5 does not try again
		"AWSChecksum:ValidateOutputPayloadChecksum", "RequestResponseLogger",
	}
)

// leaveOut takes them out; an operation has not all of them, and to lack one is no error.
func leaveOut(stack *middleware.Stack) error {
	for _, id := range unusedInitialize {
		_, _ = stack.Initialize.Remove(id)
	}
	for _, id := range unusedSerialize {
		_, _ = stack.Serialize.Remove(id)
	}
	for _, id := range unusedBuild {
		_, _ = stack.Build.Remove(id)
	}
	for _, id := range unusedFinalize {
		_, _ = stack.Finalize.Remove(id)
	}
	for _, id := range unusedDeserialize {
		_, _ = stack.Deserialize.Remove(id)
	}
	if read, ok := stack.Deserialize.Get("OperationDeserializer"); ok && stack.ID() == "GetObject" {
		_, _ = stack.Deserialize.Swap(read.ID(), bodyReader{read})
	}
	return nil
}

// bodyReader reads of a body's answer what is asked for; the SDK looks for forty headers. All else
// is left to the SDK.
type bodyReader struct {
	middleware.DeserializeMiddleware
}

func (r bodyReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && response.StatusCode == http.StatusOK {
		out.Result = &s3.GetObjectOutput{Body: response.Body, ContentLength: &response.ContentLength}
		return out, metadata, nil
	}
	return r.DeserializeMiddleware.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(
		func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
			return out, metadata, err
		}))
}
