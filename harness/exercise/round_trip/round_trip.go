// Parses and prints each line of the standard input, as encoding/json does it by default.

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var record any
		err := json.Unmarshal(lines.Bytes(), &record)
		var printed []byte
		if err == nil {
			printed, err = json.Marshal(record)
		}
		if err != nil {
			printed = []byte("error: " + err.Error())
		}
		fmt.Println(string(printed))
	}
}
