// Step config: the environment, read once per sandbox (SPEC S1 to S15, S17 to S19, S22).
// Holds the settings and the name of the first bad one, which every invocation reports.

package aggregator

import (
	"crypto/x509"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Config is the settings of a sandbox. Sizes are in bytes.
type Config struct {
	SourceBucket, SourcePrefix           string
	DestinationBucket, DestinationPrefix string
	ChunkBytes, MaxSourceBytes           int
	Concurrency, GzipLevel, TaskTimeoutS int
	LogLevel                             slog.Level
	Region, S3Client, NoProxy            string
	Endpoint, Proxy                      string         // empty: AWS's own, and no proxy
	Authorities                          *x509.CertPool // nil: those that the runtime trusts
	Credentials                          Credentials
}

const (
	ClientSDK      = "sdk" // as S3_CLIENT has it (S12)
	ClientLight    = "light"
	maxConcurrency = 256 // (S6)
)

// Credentials are keys, or the container endpoint or its path that gives them (S16).
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken, Endpoint, Path, EndpointToken string
}

// Lookup finds an environment variable, as os.LookupEnv does.
type Lookup func(name string) (string, bool)

var (
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName  = regexp.MustCompile(`^[a-z0-9-]+$`)
	decimal     = regexp.MustCompile(`^[0-9]{1,10}$`)
	accountID   = regexp.MustCompile(`^[0-9]{12}$`) // of triggers and folders
	endpointURL = regexp.MustCompile(               // group 1 is the port
		`^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?$`)
)

// ReadConfig gives the settings, or the error BAD_SETTINGS that names the first bad
// one in the order of SPEC's table.
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
	c.Concurrency = r.number("CONCURRENCY", 16, maxConcurrency)
	c.GzipLevel = r.number("GZIP_LEVEL", 1, 9)
	c.MaxSourceBytes = r.number("MAX_SOURCE_BYTES", 128<<20, 512<<20)
	level := r.text("LOG_LEVEL", "INFO", oneOf("DEBUG", "INFO", "WARN", "ERROR"))
	_ = c.LogLevel.UnmarshalText([]byte(level)) // it knows each of the four
	c.Endpoint = r.text("AWS_ENDPOINT_URL_S3", "", isEndpoint)
	region, _ := env("AWS_DEFAULT_REGION")
	c.Region = r.text("AWS_REGION", region, regionName.MatchString)
	c.S3Client = r.text("S3_CLIENT", ClientSDK, oneOf(ClientSDK, ClientLight))
	c.Authorities = r.certificates("AWS_CA_BUNDLE")
	c.Proxy = r.text("HTTPS_PROXY", "", isProxy)
	c.NoProxy, _ = env("NO_PROXY")
	c.TaskTimeoutS = r.number("TASK_TIMEOUT", 3600, 172800)
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

func (r *settings) text(name, fallback string, allowed func(string) bool) string {
	value, present := r.env(name)
	if !present {
		value = fallback
	}
	if !allowed(value) && r.bad == "" {
		r.bad = name
	}
	return value
}

func (r *settings) number(name string, fallback, most int) (n int) {
	r.text(name, strconv.Itoa(fallback), func(text string) bool {
		n, _ = strconv.Atoi(text) // ten digits can't overflow
		return decimal.MatchString(text) && n >= 1 && n <= most
	})
	return n
}

// certificates reads the file that a variable names; it gives nil where none is named.
func (r *settings) certificates(name string) (pool *x509.CertPool) {
	r.text(name, "", func(path string) bool {
		if path == "" {
			return true
		}
		text, _ := os.ReadFile(path) // a file that can't be read has no certificate
		pool = x509.NewCertPool()
		return pool.AppendCertsFromPEM(text)
	})
	return pool
}

func oneOf(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

func isPrefix(text string) bool { return text == "" || strings.HasSuffix(text, "/") }
func isProxy(text string) bool  { return isEndpoint(text) && !strings.HasPrefix(text, "https:") }

// isEndpoint is true for a URL of the form of S10, and for an empty text.
func isEndpoint(text string) bool {
	parts := endpointURL.FindStringSubmatch(text)
	if parts == nil || parts[1] == "" {
		return text == "" || parts != nil
	}
	port, _ := strconv.Atoi(parts[1])
	return port >= 1 && port <= 65535
}

func readCredentials(env Lookup) Credentials {
	get := func(name string) string { value, _ := env(name); return value }
	return Credentials{
		AccessKeyID:     get("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    get("AWS_SESSION_TOKEN"),
		Endpoint:        get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
		Path:            get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
		EndpointToken:   get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
	}
}
