// Step config: the environment, read once per sandbox (SPEC S1 to S16).
// Holds the settings and the name of the first bad one, which every invocation reports.

package aggregator

import (
	"log/slog"
	"regexp"
	"strconv"
	"strings"
)

// Config is the settings of a sandbox. Sizes are in bytes.
type Config struct {
	SourceBucket      string
	SourcePrefix      string
	DestinationBucket string
	DestinationPrefix string
	ChunkBytes        int
	Concurrency       int
	GzipLevel         int
	MaxSourceBytes    int
	LogLevel          slog.Level
	Endpoint          string // empty: AWS's own
	Region            string
	S3Client          string
	Credentials       Credentials
}

// The values of S3_CLIENT (S12).
const (
	ClientSDK   = "sdk"
	ClientLight = "light"
)

// Credentials are keys, or the container endpoint that gives them (S16).
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Endpoint, EndpointToken                    string
}

// Lookup finds an environment variable, as os.LookupEnv does.
type Lookup func(name string) (string, bool)

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-z0-9-]+$`)
	decimal    = regexp.MustCompile(`^[0-9]{1,10}$`)
	accountID  = regexp.MustCompile(`^[0-9]{12}$`) // of triggers and folders
	// endpointURL has the port as group 1.
	endpointURL = regexp.MustCompile(
		`^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?$`)
	logLevels = map[string]slog.Level{
		"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo,
		"WARN": slog.LevelWarn, "ERROR": slog.LevelError,
	}
)

// ReadConfig gives the settings, or the error BAD_SETTINGS that names the first bad
// one in the order of SPEC's table. A bad LOG_LEVEL gives INFO, the zero value of slog.
func ReadConfig(env Lookup) (Config, error) {
	r := settings{env: env}
	c := Config{Credentials: readCredentials(env)}
	c.SourceBucket = r.text("SRC_BUCKET", "", bucketName.MatchString)
	c.SourcePrefix = r.text("SRC_PREFIX", "", isPrefix)
	c.DestinationBucket = r.text("DST_BUCKET", "", bucketName.MatchString)
	c.DestinationPrefix = r.text("DST_PREFIX", "", func(prefix string) bool {
		isOneBucket := c.SourceBucket == c.DestinationBucket
		feedsItself := isOneBucket && strings.HasPrefix(prefix, c.SourcePrefix+"AWSLogs/")
		return isPrefix(prefix) && !feedsItself // S15
	})
	c.ChunkBytes = r.number("CHUNK_BYTES", 64<<20, 1<<30)
	c.Concurrency = r.number("CONCURRENCY", 16, 256)
	c.GzipLevel = r.number("GZIP_LEVEL", 1, 9)
	c.MaxSourceBytes = r.number("MAX_SOURCE_BYTES", 128<<20, 512<<20)
	c.LogLevel = logLevels[r.text("LOG_LEVEL", "INFO", func(name string) bool {
		_, known := logLevels[name]
		return known
	})]
	c.Endpoint = r.text("AWS_ENDPOINT_URL_S3", "", isEndpoint)
	region, _ := env("AWS_DEFAULT_REGION")
	c.Region = r.text("AWS_REGION", region, regionName.MatchString)
	c.S3Client = r.text("S3_CLIENT", ClientSDK, func(name string) bool {
		return name == ClientSDK || name == ClientLight
	})
	if r.bad != "" {
		return c, failure(BadSettings, "%s", r.bad)
	}
	return c, nil
}

// settings reads one variable after the other and remembers the first bad one.
type settings struct {
	env Lookup
	bad string
}

func (s *settings) text(name, absent string, allowed func(string) bool) string {
	value, present := s.env(name)
	if !present {
		value = absent
	}
	if !allowed(value) && s.bad == "" {
		s.bad = name
	}
	return value
}

func (s *settings) number(name string, absent, most int) int {
	text := s.text(name, strconv.Itoa(absent), func(text string) bool {
		n, _ := strconv.Atoi(text) // ten digits can't overflow
		return decimal.MatchString(text) && n >= 1 && n <= most
	})
	n, _ := strconv.Atoi(text)
	return n
}

func isPrefix(text string) bool { return text == "" || strings.HasSuffix(text, "/") }

func isEndpoint(text string) bool {
	parts := endpointURL.FindStringSubmatch(text)
	switch {
	case parts == nil:
		return text == ""
	case parts[1] == "":
		return true
	}
	port, _ := strconv.Atoi(parts[1])
	return port >= 1 && port <= 65535
}

func readCredentials(env Lookup) Credentials {
	get := func(name string) string {
		value, _ := env(name)
		return value
	}
	return Credentials{
		AccessKeyID:     get("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    get("AWS_SESSION_TOKEN"),
		Endpoint:        get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
		EndpointToken:   get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
	}
}
