// How answers are read, and keys written in URLs (SPEC L4, R2, R3, E5).

package s3

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/smithy-go/encoding/httpbinding"

	"rosetta/internal/aggregator"
)

// unknownLength is that of a body that comes in pieces, as net/http has it.
const unknownLength = -1

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
func finish(response *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// escapePath is for URLs. url.PathEscape would leave '+' alone, which S3 reads as a space.
func escapePath(path string) string { return httpbinding.EscapePath(path, false) }

// decode undoes the encoding that the listing asked for, if the answer has it: with it, XML
// can carry any key (L4).
func decode(page aggregator.Page, encoding string) (_ aggregator.Page, err error) {
	if encoding != "url" {
		return page, nil
	}
	for i := range page.Objects {
		if page.Objects[i].Key, err = url.QueryUnescape(page.Objects[i].Key); err != nil {
			return aggregator.Page{}, err
		}
	}
	for i := range page.Prefixes {
		if page.Prefixes[i], err = url.QueryUnescape(page.Prefixes[i]); err != nil {
			return aggregator.Page{}, err
		}
	}
	return page, nil
}
