// How answers are read, and keys written in URLs (SPEC L4, L8, R2, R3, E5).

package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"rosetta/internal/aggregator"
)

// unknownLength is that of a body that comes in pieces, as net/http has it.
const unknownLength = -1

const maxListedSize = 1 << 53 // bytes (L8)

// readBody reads to the end and closes. net/http reports a body shorter than its length.
func readBody(body io.ReadCloser, length int64, limit int) ([]byte, error) {
	defer body.Close()
	if length > int64(limit) {
		return nil, aggregator.TooLarge
	}
	if length >= 0 {
		text := make([]byte, length)
		_, err := io.ReadFull(body, text)
		return text, err
	}
	text, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	if len(text) > limit {
		return nil, aggregator.TooLarge
	}
	return text, err
}

// readXML reads to the end and closes, so that the connection can be used again.
func readXML(body io.ReadCloser, answer any) error {
	defer body.Close()
	if err := xml.NewDecoder(body).Decode(answer); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// finish waits for the end of an answer that says nothing more.
func finish(response *http.Response) error {
	defer response.Body.Close()
	_, err := io.Copy(io.Discard, response.Body)
	return err
}

// escapePath is for URLs. url.PathEscape would leave '+' alone, which S3 reads as a space.
func escapePath(path string) string { return httpbinding.EscapePath(path, false) }

// listing is one answer of a listing as it came. Both clients fill it.
type listing struct {
	encoding    string
	isTruncated *bool // nil: the answer does not say
	next        string
	objects     []aggregator.Object
	prefixes    []string
}

// page checks that the answer is a page of the prefix (L8), so that no broken answer ends a
// listing early, and decodes its keys. With an encoding XML can carry any key (L4).
func (l *listing) page(prefix string) (page aggregator.Page, err error) {
	if l.isTruncated == nil {
		return page, errors.New("a listing without IsTruncated")
	}
	if *l.isTruncated {
		if page.Next = l.next; l.next == "" {
			return page, errors.New("a truncated listing without a token")
		}
	}
	for _, object := range l.objects {
		if object.Key, err = l.decode(object.Key, prefix); err != nil {
			return page, err
		}
		if object.Size < 0 || object.Size > maxListedSize {
			return page, fmt.Errorf("a key with the size %d", object.Size)
		}
		page.Objects = append(page.Objects, object)
	}
	for _, common := range l.prefixes {
		if common, err = l.decode(common, prefix); err != nil {
			return page, err
		}
		page.Prefixes = append(page.Prefixes, common)
	}
	return page, nil
}

// decode gives a key or a common prefix as it is in S3.
func (l *listing) decode(key, prefix string) (_ string, err error) {
	if l.encoding == "url" {
		if key, err = url.QueryUnescape(key); err != nil {
			return "", err
		}
	}
	if !strings.HasPrefix(key, prefix) {
		return "", fmt.Errorf("a listing of %q with the key %q", prefix, key)
	}
	return key, nil
}

// errorOf is the code and the message of an error of S3. Another text has neither.
func errorOf(text []byte) (code, message string) {
	var answer struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if xml.Unmarshal(text, &answer) != nil {
		return "", ""
	}
	return answer.Code, answer.Message
}
