package aggregator

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestSplitKeepsTheTextOfRecords(t *testing.T) {
	for text, want := range map[string]string{
		`{"Records":[]}`: "",
		`{"Records":[{"n":1.0E+05,"n":1,"s":"\ud800\u003c é"},{}]}`:                           `{"n":1.0E+05,"n":1,"s":"\ud800\u003c é"}` + "\n{}\n",
		" {\"a\":[1,{}] ,\"\\u0052ecords\" : [ {\r\n\t\"x\" :\n1 } , {} ] , \"records\":1}\n": "{\t\"x\" :1 }\n{}\n",
	} {
		var s Splitter
		lines, err := s.Split([]byte(text))
		if err != nil || string(lines) != want {
			t.Errorf("%s gives %q %v, expected %q", text, lines, err, want)
		}
	}
}

func TestSplitFaults(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for text, want := range map[string]error{
		"": BadJSON, "[]": BadJSON, "{}{}": BadJSON, "\ufeff{\"Records\":[]}": BadJSON,
		`{"Records":[{}],"x":"` + "\xed\xa0\x80" + `"}`: BadJSON,
		`{"Records":[{}]`:                       BadJSON,
		`{"Records":[{"a":01}]}`:                BadJSON,
		`{"Records":[1,{"a":01}]}`:              BadJSON, // not NO_RECORDS
		`{"x":` + deep(500) + `,"Records":[]}`:  BadJSON,
		`{"Records":[{"x":` + deep(498) + `}]}`: BadJSON,
		"{}":                                    NoRecords,
		`{"Records":null}`:                      NoRecords,
		`{"Records":[{},1]}`:                    NoRecords,
		`{"Records":[],"Records":[]}`:           NoRecords,
		`{"Records":1,"Records":[{}]}`:          NoRecords,
		`{"records":[{}]}`:                      NoRecords,
		`{"x":` + deep(499) + `,"Records":[{"x":` + deep(497) + `},{"x":"` + strings.Repeat("[{", 999) + `"}]}`: nil,
	} {
		var s Splitter
		if _, err := s.Split([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%.80s gives %v, expected %v", text, err, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`{"Records":[{"a":"\u00e9"},{}],"b":[1,-2.5e+3,null]}`)
	f.Add("{\"a\":{},\r\n\"Records\": [ {\"Records\" : [{}]}\n]}")
	f.Fuzz(func(t *testing.T, text string) {
		var s Splitter
		lines, err := s.Split([]byte(text))
		if err != nil {
			return
		}
		whole, ok := object([]byte(text))
		var records []json.RawMessage
		if err := json.Unmarshal(whole["Records"], &records); !ok || err != nil {
			t.Fatalf("%q is taken, and encoding/json refuses it: %v", text, err)
		}
		var want strings.Builder
		for _, record := range records {
			want.WriteString(strings.NewReplacer("\r", "", "\n", "").Replace(string(record)) + "\n")
		}
		if string(lines) != want.String() {
			t.Fatalf("%q gives %q, expected %q", text, lines, want.String())
		}
	})
}
