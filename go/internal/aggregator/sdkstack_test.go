package aggregator

import (
	"errors"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
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
