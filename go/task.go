// The entry of a task: one run outside of Lambda, by `bootstrap task EVENT` (SPEC K).

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"rosetta/internal/aggregator"
	"rosetta/internal/s3"
)

// exitCodes has the codes of E1 (K3).
var exitCodes = map[aggregator.Code]int{
	aggregator.BadSettings:  10,
	aggregator.InvalidEvent: 11,
	aggregator.InvalidDate:  12,
	aggregator.NoTrail:      13,
	aggregator.BadManifest:  14,
	aggregator.FewerSources: 15,
	aggregator.BadSources:   16,
	aggregator.S3Error:      17,
	aggregator.OutOfTime:    18,
	aggregator.Busy:         19,
	aggregator.Internal:     20,
}

const timeIsOver = 21 // the exit code at the end of the run's time (K2)

// runTask does the run and gives the exit code.
func runTask(event string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	handler := aggregator.NewHandler(os.LookupEnv, os.Stdout, s3.Open)
	config, err := aggregator.ReadConfig(os.LookupEnv)
	limit := time.Duration(config.TaskTimeoutS) * time.Second
	if err == nil { // else the run reports the bad setting
		time.AfterFunc(limit, func() { os.Exit(timeIsOver) })
	}
	ctx, end := context.WithTimeout(ctx, limit)
	defer end()
	id := &lambdacontext.LambdaContext{AwsRequestID: rand.Text()}
	_, err = handler.Invoke(lambdacontext.NewContext(ctx, id), []byte(event))
	if failed, isFailed := errors.AsType[*aggregator.Error](err); isFailed {
		return exitCodes[failed.Code]
	}
	return 0
}
