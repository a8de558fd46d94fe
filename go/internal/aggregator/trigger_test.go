package aggregator

import "testing"

func TestParseTriggerDays(t *testing.T) {
	for event, want := range map[string]string{
		`{"year":2024,"month":2,"day":29}`:                                    "2024-02-29",
		`{"year":2024.0,"month":8e0,"day":80e-1,"x":1e400}`:                   "2024-08-08",
		`{"source":"aws.scheduler","time":"2024-03-01T23:59:59Z","year":"x"}`: "2024-02-29",
		`{"source":"other","year":9999,"month":12,"day":31}`:                  "9999-12-31",
		`{"Records":[{"body":"{\"year\":2024,\"month\":1,\"day\":1}"}]}`:      "2024-01-01",
		`{"records":1,"Year":1,"year":1000,"month":1,"day":1}`:                "1000-01-01",
		`{"event":"s3:TestEvent","Type":1,"year":1000,"month":1,"day":1}`:     "1000-01-01",
	} {
		day, err := ParseTrigger([]byte(event))
		if err != nil || day.String() != want {
			t.Errorf("%s gives %v %v, expected %s", event, day, err, want)
		}
	}
}

func TestParseTriggerOptions(t *testing.T) {
	day, err := ParseTrigger(
		[]byte(`{"year":2024,"month":1,"day":2,"force":true,"account":"000000000001"}`),
	)
	check(t, err)
	if !day.Force || day.Account != "000000000001" || day.Path() != "2024/01/02/" {
		t.Errorf("day is %+v", day)
	}
}

func TestParseTriggerRefuses(t *testing.T) {
	const (
		badRecords = "INVALID_EVENT: Records: " +
			"expected exactly one record whose body is a JSON object"
		badTime    = "INVALID_EVENT: time: expected yyyy-mm-ddThh:mm:ssZ"
		badYear    = "INVALID_EVENT: year: expected an integer from 1000 to 9999"
		badMonth   = "INVALID_EVENT: month: expected an integer"
		badDay     = "INVALID_EVENT: day: expected an integer"
		badForce   = "INVALID_EVENT: force: expected true or false"
		badAccount = "INVALID_EVENT: account: expected 12 digits in a string"
		noSuchDay  = "INVALID_DATE: the calendar has no such day"
	)
	for event, want := range map[string]string{
		`null`:        "INVALID_EVENT: event: expected a JSON object",
		`{"year":1} `: badYear,
		`not json`:    "INVALID_EVENT: event: expected a JSON object",
		`{"Records":[{"body":"[]"}],"year":2024,"month":1,"day":1}`:   badRecords,
		`{"Records":[{"Body":"{}"}]}`:                                 badRecords,
		`{"Records":[null]}`:                                          badRecords,
		`{"Records":null}`:                                            badRecords,
		`{"Records":[]}`:                                              badRecords,
		`{"Records":[7,{"eventSource":"aws:s3"}]}`:                    badRecords,
		`{"source":"aws.scheduler","time":"2024-03-01T24:00:00Z"}`:    badTime,
		`{"source":"aws.scheduler","time":"2023-02-29T00:00:00Z"}`:    noSuchDay,
		`{"source":"aws.scheduler","time":"1000-01-01T00:00:00Z"}`:    noSuchDay,
		`{"year":1e400,"month":1,"day":1}`:                            badYear,
		`{"year":2024,"month":true,"day":"1"}`:                        badMonth,
		`{"year":2024,"month":1e300,"day":1.5}`:                       badDay,
		`{"year":2024,"month":13,"day":1,"force":1}`:                  badForce,
		`{"year":2024,"month":13,"day":1,"force":true,"account":"1"}`: badAccount,
		`{"year":2024,"month":1,"day":1,"account":null}`:              badAccount,
		`{"year":2024,"month":1e300,"day":1}`:                         noSuchDay,
		`{"year":2023,"month":2,"day":29}`:                            noSuchDay,
		`{"year":2024,"month":4,"day":0}`:                             noSuchDay,
	} {
		if _, err := ParseTrigger([]byte(event)); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, expected %s", event, err, want)
		}
	}
}

// The account of the scheduler's own event is the schedule's (T2).
func TestParseTriggerIgnoresTheAccountOfTheScheduler(t *testing.T) {
	for _, account := range []string{`"000000000001"`, `7`} {
		day, err := ParseTrigger([]byte(`{"source":"aws.scheduler","detail-type":"Scheduled Event",` +
			`"time":"2024-02-09T02:30:00Z","force":true,"account":` + account + `}`))
		if err != nil || day.Account != "" || !day.Force || day.String() != "2024-02-08" {
			t.Errorf("account %s: day is %+v %v", account, day, err)
		}
	}
}

func TestParseTriggerNamesForeignEvents(t *testing.T) {
	for event, kind := range map[string]string{
		`{"Records":[{"eventSource":"aws:s3"}]}`:                "an S3 notification",
		`{"Records":[{"eventSource":"aws:s3"},7]}`:              "an S3 notification",
		`{"Event":"s3:TestEvent"}`:                              "an S3 notification",
		`{"Records":[{"EventSource":"aws:sns"}]}`:               "an SNS message",
		`{"Type":"Notification","year":2024}`:                   "an SNS message",
		`{"detail-type":null,"year":2024,"month":1,"day":1}`:    "an EventBridge event",
		`{"Records":[{"body":"{\"Event\":\"s3:TestEvent\"}"}]}`: "an S3 notification",
	} {
		want := "INVALID_EVENT: event: " + kind +
			` names no day: send {"year": 2024, "month": 2, "day": 8}`
		if _, err := ParseTrigger([]byte(event)); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, expected %s", event, err, want)
		}
	}
}
