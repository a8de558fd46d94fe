package aggregator

import (
	"errors"
	"strings"
	"testing"
)

func TestSplitKeepsTheTextOfRecords(t *testing.T) {
	for text, want := range map[string]string{
		`{"Records":[]}`: "",
		`{"Records":[{"n":1.0E+05,"n":1,"s":"\ud800\u003c é"},{}]}`: `{"n":1.0E+05,"n":1,` +
			`"s":"\ud800\u003c é"}` + "\n{}\n",
		" {\"a\":[1,{}] ,\"\\u0052ecords\" : [ {\r\n\t\"x\" :\n1 } , {} ] , " +
			"\"records\":1}\n": "{\t\"x\" :1 }\n{}\n",
	} {
		var s Splitter
		lines, err := s.Split(t.Context(), []byte(text))
		if err != nil || string(lines) != want {
			t.Errorf("%s gives %q %v, expected %q", text, lines, err, want)
		}
	}
}

func TestSplitFaults(t *testing.T) {
	deep := func(levels int) string {
		return strings.Repeat("[", levels) + strings.Repeat("]", levels)
	}
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
		`{"x":` + deep(499) + `,"Records":[{"x":` + deep(497) + `},` +
			`{"x":"` + strings.Repeat("[{", 999) + `"}]}`: nil,
	} {
		var s Splitter
		if _, err := s.Split(t.Context(), []byte(text)); !errors.Is(err, want) {
			t.Errorf("%.80s gives %v, expected %v", text, err, want)
		}
	}
}
