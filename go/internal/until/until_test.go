package until

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

var errCause = errors.New("the cause")

func TestAnEndedContextEndsEachOfThem(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errCause)
	if _, err := Receive(ctx, make(chan int)); !errors.Is(err, errCause) {
		t.Errorf("Receive gives %v", err)
	}
	if err := Send(ctx, make(chan int), 1); !errors.Is(err, errCause) {
		t.Errorf("Send gives %v", err)
	}
	if _, err := io.ReadAll(Reader(ctx, strings.NewReader("text"))); !errors.Is(err, errCause) {
		t.Errorf("Reader gives %v", err)
	}
}

func TestWithoutAnEndValuesPass(t *testing.T) {
	values := make(chan int, 1)
	if err := Send(t.Context(), values, 7); err != nil {
		t.Error(err)
	}
	if value, err := Receive(t.Context(), values); value != 7 || err != nil {
		t.Errorf("Receive gives %d %v", value, err)
	}
	close(values)
	if value, err := Receive(t.Context(), values); value != 0 || err != nil {
		t.Errorf("Receive gives %d %v of a closed channel", value, err)
	}
}

func TestReaderGivesPieces(t *testing.T) {
	text := strings.Repeat("x", pieceBytes+1)
	reader := Reader(t.Context(), strings.NewReader(text))
	for _, want := range []int{pieceBytes, 1} {
		if n, err := reader.Read(make([]byte, 2*pieceBytes)); n != want || err != nil {
			t.Errorf("a read gives %d bytes %v, expected %d", n, err, want)
		}
	}
}
