package s3

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rosetta/internal/aggregator"
)

// The examples of "Signature Calculations for the Authorization Header" in the Amazon S3 API
// Reference that this client can be made to send.
func TestSignaturesThatAWSPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)))
		for _, c := range []struct {
			rest   string
			header http.Header
			want   string
		}{
			{"/test.txt", http.Header{"Range": {"bytes=0-9"}},
				"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
			{"?lifecycle=", http.Header{},
				"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
			{"?max-keys=2&prefix=J", http.Header{},
				"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
		} {
			var got string
			show := func(request *http.Request) { got = request.Header.Get("Authorization") }
			store := newLight(aggregator.Config{
				Region: "us-east-1",
				Credentials: aggregator.Credentials{
					AccessKeyID:     "AKIAIOSFODNN7EXAMPLE",
					SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				},
			}, answering(show))
			store.urls["examplebucket"] = "https://examplebucket.s3.amazonaws.com"
			_, err := store.send(
				t.Context(), http.MethodGet, "examplebucket", c.rest, c.header, nil)
			check(t, err)
			if !strings.HasSuffix(got, "Signature="+c.want) {
				t.Errorf("%s is signed %s", c.rest, got)
			}
		}
	})
}
