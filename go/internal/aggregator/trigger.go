// Step trigger: the event as JSON text becomes the day to aggregate (SPEC T1 to T8). A struct
// would match the names of members in any case, and a map[string]any would refuse a number such
// as 1e400; so members stay raw until they are asked for. Holds one event.

package aggregator

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Day is what a trigger asks for: a UTC day, of all accounts or of one.
type Day struct {
	Date    time.Time
	Force   bool
	Account string // empty: all
}

// Path is the day as keys have it: yyyy/mm/dd/.
func (d Day) Path() string { return d.Date.Format("2006/01/02/") }

func (d Day) String() string { return d.Date.Format(time.DateOnly) }

type members map[string]json.RawMessage

var scheduledTime = regexp.MustCompile(
	`^[1-9]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$`)

// ParseTrigger gives the day, or INVALID_EVENT or INVALID_DATE. Its checks have the order of T5;
// the calendar comes last (T6).
func ParseTrigger(event []byte) (Day, error) {
	trigger, err := unwrap(event)
	if err != nil {
		return Day{}, err
	}
	named, err := trigger.date()
	if err != nil {
		return Day{}, err
	}
	day := Day{Force: string(trigger["force"]) == "true"}
	if force, present := trigger["force"]; present && !day.Force && string(force) != "false" {
		return Day{}, failure(InvalidEvent, "force: expected true or false")
	}
	if account, present := trigger["account"]; present && !trigger.isScheduled() {
		if day.Account, _ = text(account); !accountID.MatchString(day.Account) {
			return Day{}, failure(InvalidEvent, "account: expected 12 digits in a string")
		}
	}
	day.Date, err = time.Parse(time.DateOnly, named)
	if trigger.isScheduled() {
		day.Date = day.Date.AddDate(0, 0, -1)
	}
	if err != nil || day.Date.Year() < 1000 {
		return Day{}, failure(InvalidDate, "the calendar has no such day")
	}
	return day, nil
}

// unwrap gives the object that should name a day: the event, or the body of an SQS message (T1).
func unwrap(event []byte) (members, error) {
	trigger, ok := object(event)
	if !ok {
		return nil, failure(InvalidEvent, "event: expected a JSON object")
	}
	records, isQueued := trigger["Records"]
	if err := trigger.checkForeign(); err != nil || !isQueued {
		return trigger, err
	}
	var messages []members
	var body string
	if json.Unmarshal(records, &messages) == nil && len(messages) == 1 {
		body, _ = text(messages[0]["body"])
	}
	if trigger, ok = object([]byte(body)); !ok {
		return nil, failure(InvalidEvent,
			"Records: expected exactly one record whose body is a JSON object")
	}
	return trigger, trigger.checkForeign()
}

// checkForeign refuses the events that other services send by themselves (T8).
func (m members) checkForeign() error {
	const advice = `names no day: send {"year": 2024, "month": 2, "day": 8}`
	var first [1]members // of Records; nil if it is no object
	_ = json.Unmarshal(m["Records"], &first)
	_, hasDetailType := m["detail-type"]
	switch {
	case first[0].has("eventSource", "aws:s3"), m.has("Event", "s3:TestEvent"):
		return failure(InvalidEvent, "event: an S3 notification %s", advice)
	case first[0].has("EventSource", "aws:sns"), m.has("Type", "Notification"):
		return failure(InvalidEvent, "event: an SNS message %s", advice)
	case hasDetailType && !m.isScheduled():
		return failure(InvalidEvent, "event: an EventBridge event %s", advice)
	}
	return nil
}

func (m members) isScheduled() bool { return m.has("source", "aws.scheduler") }

// has is true where the member is that string.
func (m members) has(name, want string) bool {
	value, ok := text(m[name])
	return ok && value == want
}

// date gives the date that the trigger names as yyyy-mm-dd; the calendar may lack it.
func (m members) date() (string, error) {
	if m.isScheduled() {
		moment, _ := text(m["time"])
		if !scheduledTime.MatchString(moment) {
			return "", failure(InvalidEvent, "time: expected yyyy-mm-ddThh:mm:ssZ")
		}
		return moment[:len(time.DateOnly)], nil
	}
	year, ok := integer(m["year"])
	if !ok || year < 1000 || year > 9999 {
		return "", failure(InvalidEvent, "year: expected an integer from 1000 to 9999")
	}
	month, ok := integer(m["month"])
	if !ok {
		return "", failure(InvalidEvent, "month: expected an integer")
	}
	day, ok := integer(m["day"])
	if !ok {
		return "", failure(InvalidEvent, "day: expected an integer")
	}
	return fmt.Sprintf("%.0f-%02.0f-%02.0f", year, month, day), nil
}

// object gives the members of a JSON object, not of null.
func object(raw []byte) (m members, ok bool) {
	err := json.Unmarshal(raw, &m)
	return m, err == nil && m != nil
}

// text gives a JSON string, not null.
func text(raw json.RawMessage) (value string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &value) == nil
	return value, ok
}

// integer takes a JSON number of integral value, as a double: 8, 8.0, 8e0 (T3).
func integer(raw json.RawMessage) (float64, bool) {
	n, err := strconv.ParseFloat(string(raw), 64) // an error when out of range
	return n, err == nil && n == math.Trunc(n)
}
