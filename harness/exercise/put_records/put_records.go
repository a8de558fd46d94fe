// Puts records into a stream that refuses some of them. Write putAll; the rest is there.
// The functions below it speak with the check: one line for each call, and one for each answer.

package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

const (
	mostRecords    = 500     // of a request
	mostBytes      = 5 << 20 // of a request
	largest        = 1 << 20 // of a record; a request with a larger one fails for ever
	firstPauseMs   = 50
	longestPauseMs = 1600
)

// putAll puts the records 0, 1, 2 and so on, whose sizes in bytes these are.
func putAll(sizes []int) {
	var waiting []int
	for number, size := range sizes {
		if size > largest {
			refuse(number)
		} else {
			waiting = append(waiting, number)
		}
	}
	pauseMs := firstPauseMs
	for len(waiting) > 0 {
		request := firstRequest(waiting, sizes)
		var again []int
		for place, answer := range put(request) {
			if answer != "ok" {
				again = append(again, request[place])
			}
		}
		waiting = append(again, waiting[len(request):]...)
		if len(again) > 0 {
			pause(pauseMs)
			pauseMs = min(2*pauseMs, longestPauseMs)
		} else {
			pauseMs = firstPauseMs
		}
	}
}

// firstRequest is as many of the first ones as one request may hold.
func firstRequest(waiting, sizes []int) []int {
	total := 0
	for place, number := range waiting {
		total += sizes[number]
		if place == mostRecords || total > mostBytes {
			return waiting[:place]
		}
	}
	return waiting
}

// put puts them by one request. The answer has for each "ok", "throttled" or "failed"; it is
// "error" for all of them if the request failed as a whole.
func put(numbers []int) []string {
	words := []string{"put"}
	for _, number := range numbers {
		words = append(words, strconv.Itoa(number))
	}
	fmt.Println(strings.Join(words, " "))
	lines.Scan()
	answers := strings.Fields(lines.Text())
	if len(answers) == 1 && answers[0] == "error" {
		for len(answers) < len(numbers) {
			answers = append(answers, "error")
		}
	}
	return answers
}

// pause waits. No time passes: the check counts it.
func pause(ms int) { fmt.Println("pause", ms) }

// refuse tells that a record can't be put.
func refuse(number int) { fmt.Println("refuse", number) }

var lines = bufio.NewScanner(os.Stdin)

func main() {
	for lines.Scan() {
		var sizes []int
		for _, word := range strings.Fields(lines.Text())[1:] {
			size, _ := strconv.Atoi(word)
			sizes = append(sizes, size)
		}
		putAll(sizes)
		fmt.Println("done")
	}
}
