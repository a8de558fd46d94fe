// Package s3 has everything that speaks to S3: two clients and the HTTP client under both.
// It implements the interface of step store; no step imports it.
package s3

import (
	"net/http"
	"os"

	"rosetta/internal/aggregator"
)

// Open makes the client that S3_CLIENT names, and no other (SPEC S12). It sends nothing.
func Open(config aggregator.Config) aggregator.Store {
	// S21: crypto/x509 would read them
	_, _ = os.Unsetenv("SSL_CERT_FILE"), os.Unsetenv("SSL_CERT_DIR")
	return open(config, newHTTPClient(config, silenceTimeout))
}

func open(config aggregator.Config, client *http.Client) aggregator.Store {
	if config.S3Client == aggregator.ClientLight {
		return newLight(config, client)
	}
	return newSDK(config, client)
}
