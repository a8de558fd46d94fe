// Command bootstrap is the AWS Lambda function: it wires the process environment to
// the handler and gives the loop to the runtime. With the word task it does one run (SPEC K).
package main

import (
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"rosetta/internal/aggregator"
	"rosetta/internal/s3"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "task" {
		os.Exit(runTask(strings.Join(os.Args[2:], " ")))
	}
	lambda.Start(aggregator.NewHandler(os.LookupEnv, os.Stdout, s3.Open))
}
