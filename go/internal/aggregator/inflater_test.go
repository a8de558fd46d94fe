package aggregator

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"strings"
	"testing"
)

// withHeader is gzip with every optional field; the library leaves the header's CRC out.
func withHeader(t *testing.T, text, name string) []byte {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Name, w.Comment, w.Extra = name, "comment", []byte("xy")
	_, err := w.Write([]byte(text))
	check(t, err)
	check(t, w.Close())
	return zipped.Bytes()
}

func TestInflateMembers(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	inflater := NewInflater(len(long) + 1)
	for want, body := range map[string][]byte{
		"plain": []byte("plain"), "\x1f": []byte("\x1f"), "": zip(nil), long: zip([]byte(long)),
		"ab": slices.Concat(zip([]byte("a")), zip(nil), withHeader(t, "b", strings.Repeat("n", 2000))),
	} {
		text, err := inflater.Inflate(t.Context(), body)
		if err != nil || string(text) != want {
			t.Errorf("%.40q inflates to %.40q %v, expected %.40q", body, text, err, want)
		}
	}
}

func TestInflateRefusesEveryCut(t *testing.T) {
	inflater := NewInflater(100)
	first := zip([]byte("first"))
	body := slices.Concat(first, withHeader(t, "second", "name"))
	for length := 2; length < len(body); length++ {
		if _, err := inflater.Inflate(t.Context(), body[:length]); err == nil && length != len(first) {
			t.Errorf("a body cut to %d bytes passes", length)
		}
	}
}

func TestInflateRefusesEveryBrokenField(t *testing.T) {
	whole := withHeader(t, "text", "name")
	for at, value := range map[int]byte{
		2: 7, 3: 0x20 | whole[3], len(whole) - 8: whole[len(whole)-8] ^ 1, len(whole) - 1: 1,
	} {
		body := slices.Clone(whole)
		body[at] = value
		if _, err := NewInflater(100).Inflate(t.Context(), body); !errors.Is(err, BadGzip) {
			t.Errorf("byte %d set to %#x gives %v", at, value, err)
		}
	}
	for _, rest := range []string{"\x00", "\x1f", "x", "\x1f\x8b"} {
		if _, err := NewInflater(100).Inflate(
			t.Context(), append(slices.Clone(whole), rest...),
		); !errors.Is(err, BadGzip) {
			t.Errorf("%q after the last member gives %v", rest, err)
		}
	}
}

func TestInflateHeaderCRC(t *testing.T) {
	plain := zip([]byte("text"))
	header := append(slices.Clone(plain[:10]), 0, 0)
	header[3] |= 2
	for sum := range 1 << 16 {
		header[10], header[11] = byte(sum), byte(sum>>8)
		if length, ok := memberHeader(header); ok {
			if length != 12 || sum == 0 {
				t.Errorf("header of %d bytes with CRC %#x", length, sum)
			}
			body := slices.Concat(header, plain[10:])
			_, err := NewInflater(100).Inflate(t.Context(), body)
			check(t, err)
			return
		}
	}
	t.Error("no header CRC passes")
}

func TestInflateStopsAtTheLimit(t *testing.T) {
	body := slices.Concat(zip(make([]byte, 60)), zip(make([]byte, 40)))
	if text, err := NewInflater(100).Inflate(t.Context(), body); err != nil || len(text) != 100 {
		t.Errorf("at the limit: %d bytes %v", len(text), err)
	}
	inflater := NewInflater(99)
	if _, err := inflater.Inflate(t.Context(), body); !errors.Is(err, TooLarge) {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := inflater.Inflate(
		t.Context(), zip(make([]byte, 100<<20)),
	); !errors.Is(err, TooLarge) ||
		cap(inflater.buffer) > 1<<10 {
		t.Errorf("far over the limit: %v with a buffer of %d bytes", err, cap(inflater.buffer))
	}
}
