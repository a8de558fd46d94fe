// Step splitter: the text of a source becomes its records, one per line (SPEC R6 to R8,
// C1). jsontext validates and gives each record's bytes as they are; the lines take the
// place of the text, so that a source is held once. A bad source gives no line.

package aggregator

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep a source may nest; the file's own object is level 1 (R7).
const maxDepth = 500

// grammarOnly is RFC 8259: duplicate names and lone surrogate escapes pass. The bytes are
// checked to be UTF-8 beforehand, because the same option would let them pass, too.
var grammarOnly = []jsontext.Options{
	jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
}

// Splitter keeps the decoder's buffer from source to source.
type Splitter struct {
	decoder jsontext.Decoder
	lines   []byte
	members int  // called Records
	misfit  bool // a Records that is not an array of objects
}

// Split gives the records of a source, each with one LF. They overwrite the text.
// The errors are BadJSON and NoRecords.
func (s *Splitter) Split(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, BadJSON
	}
	// The decoder reads into a buffer of its own. A record is never written beyond
	// the place that it was read from: its LF takes no more than the comma before it.
	s.decoder.Reset(bytes.NewReader(text), grammarOnly...)
	s.lines, s.members, s.misfit = text[:0], 0, false
	if err := s.document(); err != nil {
		return nil, BadJSON
	}
	if s.members != 1 || s.misfit {
		return nil, NoRecords
	}
	return s.lines, nil
}

// document reads one object and the end of the text after it.
func (s *Splitter) document() error {
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
			s.members++
		}
		if isRecords && s.decoder.PeekKind() == '[' {
			err = s.records()
		} else {
			s.misfit = s.misfit || isRecords
			_, err = s.value(maxDepth - 1)
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
func (s *Splitter) records() error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for {
		kind := s.decoder.PeekKind()
		if kind == ']' {
			_, err := s.decoder.ReadToken()
			return err
		}
		record, err := s.value(maxDepth - 2)
		if err != nil {
			return err
		}
		s.misfit = s.misfit || kind != '{'
		s.lines = append(appendLine(s.lines, record), '\n')
	}
}

// value reads any value of at most the given levels; it is valid until the next one.
func (s *Splitter) value(levels int) (jsontext.Value, error) {
	value, err := s.decoder.ReadValue()
	if err == nil && isDeeper(value, levels) {
		return nil, BadJSON
	}
	return value, err
}

// isDeeper counts levels only where there are brackets enough for too many.
func isDeeper(value jsontext.Value, levels int) bool {
	if bytes.Count(value, []byte("{"))+bytes.Count(value, []byte("[")) <= levels {
		return false
	}
	tokens := jsontext.NewDecoder(bytes.NewReader(value), grammarOnly...)
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
func appendLine(lines []byte, record jsontext.Value) []byte {
	if bytes.IndexByte(record, '\n') < 0 && bytes.IndexByte(record, '\r') < 0 {
		return append(lines, record...)
	}
	for _, c := range record {
		if c != '\n' && c != '\r' {
			lines = append(lines, c)
		}
	}
	return lines
}
