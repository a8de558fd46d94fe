// Bodies by chance: the inflater and the splitter must say what the slow oracles say.
// The seeds are the bodies of the vectors.

package aggregator

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const longestSeed = 4 << 10 // bytes; a fuzzer is slow with longer ones

func FuzzSplit(f *testing.F) {
	for _, body := range vectorBodies(f) {
		if text, sound := slowInflate(body, longestSeed); sound && len(text) <= longestSeed {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, fault := slowSplit(text)
		var s Splitter
		for range 2 { // the decoder is kept
			lines, err := s.Split(t.Context(), slices.Clone(text))
			if !errors.Is(err, fault) || string(lines) != want {
				t.Fatalf("%q gives %q %v, expected %q %v", text, lines, err, want, fault)
			}
		}
	})
}

func FuzzInflate(f *testing.F) {
	for _, body := range vectorBodies(f) {
		if len(body) <= longestSeed {
			f.Add(body, uint16(1000))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, limit uint16) {
		want, sound := slowInflate(body, 1<<17) // more than any limit
		isPlain := !bytes.HasPrefix(body, []byte{0x1f, 0x8b})
		fits := len(want) <= int(limit) || isPlain // the reader refuses a plain one
		inflater := NewInflater(int(limit))
		for range 2 { // the buffers are kept
			text, err := inflater.Inflate(t.Context(), body)
			isAllowed := map[error]bool{ // what is both too large and damaged may be either
				nil: sound && fits && bytes.Equal(text, want), TooLarge: !fits, BadGzip: !sound,
			}
			if !isAllowed[err] {
				t.Fatalf("%x up to %d bytes gives %.80q %v, expected %.80q, sound: %v",
					body, limit, text, err, want, sound)
			}
		}
	})
}

// vectorBodies gives each source of the vectors as it is stored, in the vectors' order.
func vectorBodies(f *testing.F) (bodies [][]byte) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(vectorsFolder, "reading-*", "case.json"))
	check(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(f, err)
		var v vector
		check(f, json.Unmarshal(text, &v))
		sources := map[string][]byte{}
		for key, body := range tree(f, filepath.Join(filepath.Dir(file), "source")) {
			if strings.HasSuffix(key, ".gz") {
				body = zip(body)
			}
			sources[key] = body
		}
		stage(f, sources, v.Objects, filepath.Dir(file))
		for _, body := range sources {
			bodies = append(bodies, body)
		}
	}
	slices.SortFunc(bodies, bytes.Compare)
	return slices.CompactFunc(bodies, bytes.Equal)
}
