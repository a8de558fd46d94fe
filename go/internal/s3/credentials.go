// Where the keys come from (SPEC S16): by the SDK's providers, for both clients.

package s3

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"rosetta/internal/aggregator"
)

// newCredentials asks the container endpoint where the environment has no keys. The SDK's
// module config would do so too, but it brings SSO and STS along.
func newCredentials(c aggregator.Credentials, client *http.Client) aws.CredentialsProvider {
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
