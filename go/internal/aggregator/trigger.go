// Step trigger: the event as JSON text becomes the day to aggregate (SPEC T1 to T7).
// Members stay raw until they are asked for: encoding/json would match their names
// without regard to case, and refuse an unknown member 1e400. Holds one event.

package aggregator

import (
	"encoding/json"
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

var (
	scheduledTime = regexp.MustCompile(
		`^([1-9][0-9]{3})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$`)
	accountID = regexp.MustCompile(`^[0-9]{12}$`)
)

// ParseTrigger gives the day, or INVALID_EVENT or INVALID_DATE.
func ParseTrigger(event []byte) (Day, error) {
	trigger, ok := object(event)
	if !ok {
		return Day{}, failure(InvalidEvent, "event: expected a JSON object")
	}
	if records, queued := trigger["Records"]; queued {
		if trigger, ok = queuedTrigger(records); !ok {
			return Day{}, failure(InvalidEvent,
				"Records: expected exactly one record whose body is a JSON object")
		}
	}
	date, dateError := trigger.date()
	if e, ok := dateError.(*Error); ok && e.Code == InvalidEvent {
		return Day{}, e
	}
	day := Day{Date: date}
	if force, present := trigger["force"]; present {
		if day.Force = string(force) == "true"; !day.Force && string(force) != "false" {
			return Day{}, failure(InvalidEvent, "force: expected true or false")
		}
	}
	if account, present := trigger["account"]; present {
		if day.Account, ok = text(account); !ok || !accountID.MatchString(day.Account) {
			return Day{}, failure(InvalidEvent, "account: expected 12 digits in a string")
		}
	}
	return day, dateError // INVALID_DATE comes after every other fault (T6)
}

// queuedTrigger unwraps what SQS delivers (T1).
func queuedTrigger(records json.RawMessage) (members, bool) {
	var elements []json.RawMessage
	if json.Unmarshal(records, &elements) != nil || len(elements) != 1 {
		return nil, false
	}
	message, ok := object(elements[0])
	if !ok {
		return nil, false
	}
	body, ok := text(message["body"])
	if !ok {
		return nil, false
	}
	return object([]byte(body))
}

func (m members) date() (time.Time, error) {
	if source, ok := text(m["source"]); ok && source == "aws.scheduler" {
		moment, _ := text(m["time"])
		part := scheduledTime.FindStringSubmatch(moment)
		if part == nil {
			return time.Time{}, failure(InvalidEvent, "time: expected yyyy-mm-ddThh:mm:ssZ")
		}
		date, err := calendarDay(digits(part[1]), digits(part[2]), digits(part[3]))
		if date = date.AddDate(0, 0, -1); err == nil && date.Year() < 1000 {
			err = noSuchDay
		}
		return date, err
	}
	year, ok := integer(m["year"])
	if !ok || year < 1000 || year > 9999 {
		return time.Time{}, failure(InvalidEvent, "year: expected an integer from 1000 to 9999")
	}
	month, ok := integer(m["month"])
	if !ok {
		return time.Time{}, failure(InvalidEvent, "month: expected an integer")
	}
	day, ok := integer(m["day"])
	if !ok {
		return time.Time{}, failure(InvalidEvent, "day: expected an integer")
	}
	return calendarDay(year, month, day)
}

var noSuchDay = failure(InvalidDate, "the calendar has no such day")

// calendarDay refuses what time.Date would carry over: the 30th of February.
func calendarDay(year, month, day float64) (time.Time, error) {
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return time.Time{}, noSuchDay
	}
	date := time.Date(int(year), time.Month(month), int(day), 0, 0, 0, 0, time.UTC)
	if date.Day() != int(day) {
		return time.Time{}, noSuchDay
	}
	return date, nil
}

// object gives the members of a JSON object, not of null.
func object(raw []byte) (members, bool) {
	var m members
	err := json.Unmarshal(raw, &m)
	return m, err == nil && m != nil
}

func text(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// integer takes a JSON number of integral value, as a double: 8, 8.0, 8e0 (T3).
func integer(raw json.RawMessage) (float64, bool) {
	n, err := strconv.ParseFloat(string(raw), 64) // infinite when out of range
	return n, err == nil && n == math.Trunc(n)
}

func digits(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}
