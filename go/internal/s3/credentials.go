// Where the keys come from (SPEC S16): by the SDK's providers, for both clients.

package s3

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"rosetta/internal/aggregator"
)

const addressOfECS = "http://169.254.170.2"

// newCredentials asks the container endpoint where the environment has no keys, and never through
// the proxy. The SDK's module config would ask it, too, but it brings SSO and STS along.
func newCredentials(config aggregator.Config) aws.CredentialsProvider {
	c := config.Credentials
	if c.Path != "" {
		c.Endpoint = addressOfECS + c.Path
	}
	if c.AccessKeyID != "" && c.SecretAccessKey != "" || c.Endpoint == "" {
		return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	}
	config.Proxy = ""
	provider := endpointcreds.New(c.Endpoint, func(o *endpointcreds.Options) {
		o.AuthorizationToken = c.EndpointToken
		o.HTTPClient = newHTTPClient(config, silenceTimeout)
		o.Retryer = aws.NopRetryer{}
	})
	return aws.NewCredentialsCache(provider, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = time.Minute
	})
}
