// Command bootstrap is the AWS Lambda function: it wires the process environment to
// the handler and gives the loop to the runtime.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"rosetta/internal/aggregator"
	"rosetta/internal/s3"
)

func main() {
	lambda.Start(aggregator.NewHandler(os.LookupEnv, os.Stdout, s3.Open))
}
