package aggregator

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// What an SDK to come calls by another name would silently be back.
func TestStepsLeftOutAreTheSDKs(t *testing.T) {
	var before, after [5][]string
	lists := func(stack *middleware.Stack) [5][]string {
		return [...][]string{
			stack.Initialize.List(), stack.Serialize.List(), stack.Build.List(), stack.Finalize.List(), stack.Deserialize.List(),
		}
	}
	client := s3.New(s3.Options{Region: "eu-west-1", APIOptions: []func(*middleware.Stack) error{
		func(stack *middleware.Stack) error {
			for i, ids := range lists(stack) {
				before[i] = append(before[i], ids...)
			}
			check(t, leaveOut(stack))
			for i, ids := range lists(stack) {
				after[i] = append(after[i], ids...)
			}
			return errors.New("not to be sent")
		},
	}})
	_, _ = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
	_, _ = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
	for i, unused := range [...][]string{unusedInitialize, unusedSerialize, unusedBuild, unusedFinalize, unusedDeserialize} {
		for _, id := range unused {
			if !slices.Contains(before[i], id) || slices.Contains(after[i], id) {
				t.Errorf("%s is in %q and then in %q", id, before[i], after[i])
			}
		}
	}
}

// What the resolver says of signing is right if the signer of S3 comes to the same.
func TestTheSDKSignsAsS3Has(t *testing.T) {
	var sent *http.Request
	settings := Config{
		Region: "eu-central-1", SourceBucket: "bucket", DestinationBucket: "with.dot",
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session"},
	}
	store := newSDKStore(settings, sender{answering(func(request *http.Request) { sent = request })})
	for _, bucket := range []string{"bucket", "with.dot"} {
		for _, key := range oddKeys {
			_, err := store.get(t.Context(), bucket, key, 0)
			check(t, err)
			got := sent.Header.Get("Authorization")
			_, signed, _ := strings.Cut(got, "SignedHeaders=")
			signed, _, _ = strings.Cut(signed, ",")
			again := sent.Clone(t.Context())
			again.Header = http.Header{}
			for name := range strings.SplitSeq(signed, ";") {
				again.Header[http.CanonicalHeaderKey(name)] = sent.Header.Values(name)
			}
			at, err := time.Parse("20060102T150405Z", sent.Header.Get("X-Amz-Date"))
			check(t, err)
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			keys := aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret", SessionToken: "session"}
			check(t, signer.SignHTTP(t.Context(), keys, again, sent.Header.Get("X-Amz-Content-Sha256"), "s3", "eu-central-1", at))
			if want := again.Header.Get("Authorization"); got != want {
				t.Errorf("%q of %s is signed %s, not %s", key, bucket, got, want)
			}
		}
	}
}
