// Step splitter: the text of a source becomes its records, one per line (SPEC R6 to R8,
// C1, B3). jsontext validates and gives each record's bytes as they are; the lines take the
// place of the text, so that a source is held once. A bad source gives no line.

package aggregator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rosetta/internal/until"
)

// maxDepth is how deep a source may nest; the file's own object is level 1 (R7).
const maxDepth = 500

// grammarOnly is RFC 8259: duplicate names and lone surrogate escapes pass. AllowInvalidUTF8
// is for the escapes, but bytes that are not UTF-8 pass with it, too; so Split checks them first.
var grammarOnly = []jsontext.Options{
	jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
}

// Splitter keeps the decoder's buffer from source to source.
type Splitter struct {
	decoder     jsontext.Decoder
	lines       []byte
	recordsSeen int  // top-level members called Records
	notObjects  bool // a Records that is not an array of objects
}

// Split gives the records of a source, each with one LF. They overwrite the text.
// The errors are BadJSON, NoRecords and an ended context's cause.
func (s *Splitter) Split(ctx context.Context, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, BadJSON
	}
	// The decoder copies what it reads into a buffer of its own. The lines never reach text that
	// it has not read: before each record stands a bracket or a comma, as long as the line's LF.
	s.decoder.Reset(until.Reader(ctx, bytes.NewReader(text)), grammarOnly...)
	s.lines, s.recordsSeen, s.notObjects = text[:0], 0, false
	switch err := s.document(ctx); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil: // whatever the decoder says of it
		return nil, BadJSON
	case s.recordsSeen != 1 || s.notObjects:
		return nil, NoRecords
	}
	return s.lines, nil
}

// document reads one object and the end of the text after it.
func (s *Splitter) document(ctx context.Context) error {
	if opening, err := s.decoder.ReadToken(); err != nil || opening.Kind() != '{' {
		return BadJSON
	}
	for s.decoder.PeekKind() != '}' {
		name, err := s.decoder.ReadToken()
		if err != nil {
			return err
		}
		isRecords := name.String() == "Records"
		if isRecords {
			s.recordsSeen++
		}
		if isRecords && s.decoder.PeekKind() == '[' {
			err = s.records(ctx)
		} else {
			s.notObjects = s.notObjects || isRecords
			_, err = s.value(ctx, maxDepth-1)
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.decoder.ReadToken(); err != nil { // the closing brace
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return BadJSON
	}
	return nil
}

// records reads the array; what is not an object may still be followed by bad JSON,
// which counts first.
func (s *Splitter) records(ctx context.Context) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for {
		kind := s.decoder.PeekKind()
		if kind == ']' {
			_, err := s.decoder.ReadToken()
			return err
		}
		record, err := s.value(ctx, maxDepth-2)
		if err != nil {
			return err
		}
		s.notObjects = s.notObjects || kind != '{'
		s.lines = append(appendLine(ctx, s.lines, record), '\n')
	}
}

// value reads any value of at most the given levels; it is valid until the next one.
func (s *Splitter) value(ctx context.Context, levels int) (jsontext.Value, error) {
	value, err := s.decoder.ReadValue()
	if err == nil && isDeeper(ctx, value, levels) {
		return nil, BadJSON
	}
	return value, err
}

// isDeeper counts levels only where there are brackets enough for too many.
func isDeeper(ctx context.Context, value jsontext.Value, levels int) bool {
	if bytes.Count(value, []byte("{"))+bytes.Count(value, []byte("[")) <= levels {
		return false
	}
	tokens := jsontext.NewDecoder(until.Reader(ctx, bytes.NewReader(value)), grammarOnly...)
	for {
		if _, err := tokens.ReadToken(); err != nil {
			return false
		}
		if tokens.StackDepth() > levels {
			return true
		}
	}
}

// appendLine drops CR and LF, which a valid record has between tokens only (C1).
func appendLine(ctx context.Context, lines []byte, record jsontext.Value) []byte {
	if bytes.IndexByte(record, '\n') < 0 && bytes.IndexByte(record, '\r') < 0 {
		return append(lines, record...)
	}
	isLineBreak := func(r rune) bool { return r == '\n' || r == '\r' }
	for part := range bytes.FieldsFuncSeq(record, isLineBreak) {
		if ctx.Err() != nil {
			return lines // Split says why
		}
		lines = append(lines, part...)
	}
	return lines
}
