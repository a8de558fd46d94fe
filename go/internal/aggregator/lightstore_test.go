package aggregator

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
			{"/test.txt", http.Header{"Range": {"bytes=0-9"}}, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
			{"?lifecycle=", http.Header{}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
			{"?max-keys=2&prefix=J", http.Header{}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
		} {
			var got string
			store := newLightStore(Config{
				Region:      "us-east-1",
				Credentials: Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
			}, sender{answering(func(request *http.Request) { got = request.Header.Get("Authorization") })})
			store.urls["examplebucket"] = "https://examplebucket.s3.amazonaws.com"
			_, err := store.send(t.Context(), http.MethodGet, "examplebucket", c.rest, c.header, nil)
			check(t, err)
			if !strings.HasSuffix(got, "Signature="+c.want) {
				t.Errorf("%s is signed %s", c.rest, got)
			}
		}
	})
}

// Of what the SDK would take for an empty page, this client says that it is no answer.
func TestAnswersOfAnotherKind(t *testing.T) {
	for _, answer := range []string{"", "<html></html>", "<Error><Code>InternalError</Code></Error>"} {
		attempts := 0
		store, _ := serve(t, clientLight, func(w http.ResponseWriter, _ *http.Request) {
			if attempts++; attempts > 1 {
				answer = emptyPage
			}
			_, _ = io.WriteString(w, answer)
		})
		if _, err := store.ListPage(t.Context(), "bucket", "", "", ""); err != nil || attempts != 2 {
			t.Errorf("list of %q gives %v after %d attempts", answer, err, attempts)
		}
	}
}
