// Step inflater: a body becomes text (SPEC R2 to R5, P3).
// Holds the text of one source; the buffer stays for the next.

package aggregator

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"

	"rosetta/internal/tuning"
)

// Inflater keeps its buffers from source to source.
type Inflater struct {
	limit  int
	stream io.ReadCloser
	buffer []byte
}

// NewInflater inflates to at most limit bytes.
func NewInflater(limit int) *Inflater {
	return &Inflater{limit: limit, stream: flate.NewReader(nil)}
}

// Inflate gives the text of a body, valid until the next call. A body that does not
// begin as gzip is its own text; Get has refused one that is too large. The errors are TooLarge,
// BadGzip and an ended context's cause.
//
// This step reads the header and the trailer of each member itself: the gzip readers of Go
// accept a stream that ends inside a file name, and refuse names over 511 bytes.
func (i *Inflater) Inflate(ctx context.Context, body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		return body, nil
	}
	if len(body) < 18 { // a header and a trailer alone have as much
		return nil, BadGzip
	}
	i.buffer = slices.Grow(i.buffer[:0], tuning.OutputSize(body, i.limit))
	for len(body) > 0 {
		header, ok := memberHeader(body)
		if !ok {
			return nil, BadGzip
		}
		begin := len(i.buffer)
		rest := bytes.NewReader(body[header:]) // flate takes no byte of it beyond the member
		if err := i.inflateMember(ctx, rest); err != nil {
			return nil, err
		}
		body = body[len(body)-rest.Len():]
		member := i.buffer[begin:]
		if len(body) < 8 || binary.LittleEndian.Uint32(body) != crc32.ChecksumIEEE(member) ||
			binary.LittleEndian.Uint32(body[4:]) != uint32(len(member)) {
			return nil, BadGzip
		}
		body = body[8:]
	}
	return i.buffer, nil
}

// inflateMember appends to the buffer, and stops one byte beyond the limit.
func (i *Inflater) inflateMember(ctx context.Context, deflated *bytes.Reader) error {
	if err := i.stream.(flate.Resetter).Reset(deflated, nil); err != nil {
		return BadGzip
	}
	for {
		if ctx.Err() != nil { // after 32 KiB of text at most (E6)
			return context.Cause(ctx)
		}
		i.buffer = slices.Grow(i.buffer, 1)
		n, err := i.stream.Read(i.buffer[len(i.buffer):min(cap(i.buffer), i.limit+1)])
		i.buffer = i.buffer[:len(i.buffer)+n]
		switch {
		case len(i.buffer) > i.limit:
			return TooLarge
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return BadGzip
		}
	}
}

// memberHeader gives the length of a member's header (RFC 1952, 2.3).
func memberHeader(b []byte) (length int, ok bool) {
	const headerCRC, extra, name, comment, reserved = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 0xe0
	if len(b) < 10 || b[0] != 0x1f || b[1] != 0x8b || b[2] != 8 || b[3]&reserved != 0 {
		return 0, false
	}
	flags, n := b[3], 10
	if flags&extra != 0 {
		if len(b) < n+2 {
			return 0, false
		}
		n += 2 + int(binary.LittleEndian.Uint16(b[n:]))
	}
	for _, text := range []byte{name, comment} {
		if flags&text == 0 {
			continue
		}
		end := bytes.IndexByte(b[min(n, len(b)):], 0)
		if end < 0 {
			return 0, false
		}
		n += end + 1
	}
	if flags&headerCRC != 0 {
		if len(b) < n+2 || binary.LittleEndian.Uint16(b[n:]) != uint16(crc32.ChecksumIEEE(b[:n])) {
			return 0, false
		}
		n += 2
	}
	return n, n <= len(b)
}
