// The slow oracles of the fuzz tests: what SPEC R2 to R8 and C1 say of a body, from the
// standard library and plain loops, with no code of the inflater and the splitter.

package aggregator

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// slowSplit gives the lines of a text, or the fault that counts first.
func slowSplit(text []byte) (string, error) {
	isOneObject := json.Valid(text) && strings.TrimLeft(string(text), " \t\r\n")[0] == '{'
	if !utf8.Valid(text) || !isOneObject || depthOf(text) > 500 {
		return "", BadJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	_, _ = decoder.Token()
	var arrays []json.RawMessage
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return "", err
		}
		if name == "Records" {
			arrays = append(arrays, value)
		}
	}
	var records []json.RawMessage
	if len(arrays) != 1 || arrays[0][0] != '[' || json.Unmarshal(arrays[0], &records) != nil {
		return "", NoRecords
	}
	var lines strings.Builder
	for _, record := range records {
		if record[0] != '{' {
			return "", NoRecords
		}
		lines.WriteString(strings.NewReplacer("\r", "", "\n", "").Replace(string(record)) + "\n")
	}
	return lines.String(), nil
}

// depthOf counts the brackets that are open at once, those in strings aside.
func depthOf(text []byte) int {
	deepest, depth, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// slowInflate gives the text before the first fault, and whether there was none. It ends
// early, without a fault, once it has more than most bytes.
func slowInflate(body []byte, most int) (text []byte, sound bool) {
	if !strings.HasPrefix(string(body), "\x1f\x8b") {
		return body, true
	}
	rest := bytes.NewReader(body)
	for rest.Len() > 0 && len(text) <= most {
		member := slowMember{bytes: rest}
		inflated, ok := member.inflate(most + 1 - len(text))
		if text = append(text, inflated...); !ok {
			return text, false
		}
	}
	return text, true
}

// slowMember reads one member of RFC 1952 byte by byte.
type slowMember struct {
	bytes *bytes.Reader
	seen  []byte
	short bool
}

func (m *slowMember) next() byte {
	b, err := m.bytes.ReadByte()
	m.short = m.short || err != nil
	m.seen = append(m.seen, b)
	return b
}

// number is a little-endian one of so many bytes.
func (m *slowMember) number(size int) (n uint32) {
	for i := range size {
		n |= uint32(m.next()) << (8 * i)
	}
	return n
}

// inflate gives the member's text, at most so many bytes of it.
func (m *slowMember) inflate(most int) (text []byte, sound bool) {
	magic, method, flags := m.number(2), m.next(), m.next()
	m.number(6) // time, extra flags, operating system
	if magic != 0x8b1f || method != 8 || flags >= 0x20 {
		return nil, false
	}
	if flags&4 != 0 {
		for range m.number(2) {
			m.next()
		}
	}
	for _, isThere := range []bool{flags&8 != 0, flags&16 != 0} { // name, comment
		for isThere && m.next() != 0 && !m.short {
		}
	}
	if sum := slowCRC(m.seen) & 0xffff; flags&2 != 0 && m.number(2) != sum {
		return nil, false
	}
	if m.short {
		return nil, false
	}
	// a bufio.Reader would read beyond the member; a ByteReader is read no further
	inflated := bufio.NewReader(flate.NewReader(m.bytes))
	for len(text) < most {
		b, err := inflated.ReadByte()
		if err != nil {
			isWhole := err == io.EOF && m.number(4) == slowCRC(text) && m.number(4) == uint32(len(text))
			return text, isWhole && !m.short
		}
		text = append(text, b)
	}
	return text, true
}

// slowCRC is CRC-32 as RFC 1952 defines it, bit by bit.
func slowCRC(text []byte) uint32 {
	sum := ^uint32(0)
	for _, b := range text {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320*(sum&1)
		}
	}
	return ^sum
}
