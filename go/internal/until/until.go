// Package until has waits and reads that last no longer than a context. Their error is its cause.
package until

import (
	"context"
	"io"
)

const pieceBytes = 1 << 20 // the most that Reader gives between two looks at the context

// Receive waits for a value. A closed channel gives the zero value.
func Receive[T any](ctx context.Context, from <-chan T) (value T, err error) {
	select {
	case value = <-from:
		return value, nil
	case <-ctx.Done():
		return value, context.Cause(ctx)
	}
}

// Send waits for room in a channel.
func Send[T any](ctx context.Context, to chan<- T, value T) error {
	select {
	case to <- value:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Reader ends the loop of a library that reads a long text from it.
func Reader(ctx context.Context, text io.Reader) io.Reader { return reader{ctx, text} }

type reader struct {
	ctx  context.Context
	text io.Reader
}

func (r reader) Read(into []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.text.Read(into[:min(len(into), pieceBytes)])
}
