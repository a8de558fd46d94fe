// Under step writer: where a chunk's compressed bytes wait for their Put.

package aggregator

import "io"

const pieceBytes = 256 << 10

// chunkBuffer keeps its memory when it is emptied. A buffer that grew by copying would need
// twice that of the largest chunk, and the collector would double it again.
type chunkBuffer struct {
	pieces [][]byte
	size   int
}

// Write never fails.
func (b *chunkBuffer) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		if b.size == len(b.pieces)*pieceBytes {
			b.pieces = append(b.pieces, make([]byte, pieceBytes))
		}
		n := copy(b.pieces[b.size/pieceBytes][b.size%pieceBytes:], rest)
		b.size, rest = b.size+n, rest[n:]
	}
	return len(data), nil
}

// ReadAt is what an io.SectionReader asks for.
func (b *chunkBuffer) ReadAt(into []byte, offset int64) (n int, _ error) {
	for at := int(offset); n < len(into); at = int(offset) + n {
		if at >= b.size {
			return n, io.EOF
		}
		piece := b.pieces[at/pieceBytes]
		n += copy(into[n:], piece[at%pieceBytes:min(pieceBytes, b.size-at/pieceBytes*pieceBytes)])
	}
	return n, nil
}

func (b *chunkBuffer) reset() { b.size = 0 }

// all gives the bytes written since the last reset, valid until the next one.
func (b *chunkBuffer) all() *io.SectionReader { return io.NewSectionReader(b, 0, int64(b.size)) }
