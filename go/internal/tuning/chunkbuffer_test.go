package tuning

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestChunkBufferGivesWhatWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var buffer ChunkBuffer
	for _, size := range []int{
		0, 1, pieceBytes - 1, pieceBytes, pieceBytes + 1, 3*pieceBytes + 17, 2 * pieceBytes,
	} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		buffer.Reset()
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(100_000))
			written, err := buffer.Write(rest[:n])
			if err != nil {
				t.Fatal(err)
			}
			if written != n {
				t.Fatalf("%d bytes of %d were taken", written, n)
			}
			rest = rest[n:]
		}
		got, err := io.ReadAll(iotest.HalfReader(buffer.Section()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) || buffer.Section().Size() != int64(size) {
			t.Errorf("%d bytes came back as %d others", size, len(got))
		}
	}
	if held := len(buffer.pieces); held != 4 {
		t.Errorf("%d pieces are held for the largest one's 4", held)
	}
}
