package aggregator

import (
	"log/slog"
	"maps"
	"testing"
)

func goodEnv() map[string]string {
	return map[string]string{"SRC_BUCKET": "from", "DST_BUCKET": "to-there", "AWS_REGION": "eu-west-1"}
}

func TestReadConfigDefaults(t *testing.T) {
	got, err := ReadConfig(lookup(goodEnv()))
	check(t, err)
	want := Config{
		SourceBucket:      "from",
		DestinationBucket: "to-there",
		Region:            "eu-west-1",
		ChunkBytes:        67108864,
		Concurrency:       16,
		GzipLevel:         1,
		MaxSourceBytes:    134217728,
		LogLevel:          slog.LevelInfo,
		S3Client:          "sdk",
		TaskTimeoutS:      3600,
	}
	if got != want {
		t.Errorf("settings are %+v, expected %+v", got, want)
	}
}

func TestReadConfigNamesTheFirstBadSetting(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"SRC_BUCKET": "UPPER", "DST_BUCKET": "x"}, "SRC_BUCKET"},
		{map[string]string{"SRC_PREFIX": "no-slash"}, "SRC_PREFIX"},
		{map[string]string{"DST_BUCKET": "from", "DST_PREFIX": "AWSLogs/daily/"}, "DST_PREFIX"},
		{map[string]string{
			"DST_BUCKET": "from", "SRC_PREFIX": "p/", "DST_PREFIX": "p/AWSLogs/",
		}, "DST_PREFIX"},
		{map[string]string{"CHUNK_BYTES": ""}, "CHUNK_BYTES"},
		{map[string]string{"CHUNK_BYTES": "1073741825"}, "CHUNK_BYTES"},
		{map[string]string{"CONCURRENCY": "00000000016"}, "CONCURRENCY"},
		{map[string]string{"GZIP_LEVEL": "+1"}, "GZIP_LEVEL"},
		{map[string]string{"MAX_SOURCE_BYTES": "1\n"}, "MAX_SOURCE_BYTES"},
		{map[string]string{"LOG_LEVEL": "info"}, "LOG_LEVEL"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://:80"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "ftp://host"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "HTTP://host"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host:"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host:0"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host:65536"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host:000080"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host/path"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host//"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://under_score"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://user@host"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host?q"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://host\n"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://[::1"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": "http://[g]"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_ENDPOINT_URL_S3": " http://host"}, "AWS_ENDPOINT_URL_S3"},
		{map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, "AWS_REGION"},
		{map[string]string{"S3_CLIENT": "curl"}, "S3_CLIENT"},
		{map[string]string{"S3_CLIENT": ""}, "S3_CLIENT"},
		{map[string]string{"AWS_CA_BUNDLE": "config_test.go"}, "AWS_CA_BUNDLE"},
		{map[string]string{"AWS_CA_BUNDLE": "no such file", "HTTPS_PROXY": "x"}, "AWS_CA_BUNDLE"},
		{map[string]string{"HTTPS_PROXY": "https://proxy:3128"}, "HTTPS_PROXY"},
		{map[string]string{"HTTPS_PROXY": "proxy:3128"}, "HTTPS_PROXY"},
		{map[string]string{"HTTPS_PROXY": "http://user:secret@proxy"}, "HTTPS_PROXY"},
		{map[string]string{"HTTPS_PROXY": "http://proxy:0"}, "HTTPS_PROXY"},
		{map[string]string{"HTTPS_PROXY": "http://proxy/path"}, "HTTPS_PROXY"},
	} {
		env := goodEnv()
		maps.Copy(env, c.set)
		if _, err := ReadConfig(lookup(env)); err == nil || err.Error() != "BAD_SETTINGS: "+c.want {
			t.Errorf("%v gives %v, expected BAD_SETTINGS: %s", c.set, err, c.want)
		}
	}
}

func TestReadConfigAccepts(t *testing.T) {
	for _, set := range []map[string]string{
		{"DST_BUCKET": "from", "DST_PREFIX": "AWSLogs-daily/"},
		{"DST_PREFIX": "AWSLogs/"},
		{"S3_CLIENT": "light"},
		{"CHUNK_BYTES": "0000000001", "CONCURRENCY": "256", "GZIP_LEVEL": "9"},
		{"AWS_ENDPOINT_URL_S3": ""},
		{"AWS_ENDPOINT_URL_S3": "http://[::1]:9000"},
		{"AWS_ENDPOINT_URL_S3": "https://s3.Example-1.com/"},
		{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:65535/"},
		{"AWS_ENDPOINT_URL_S3": "http://host:00001"},
		{"AWS_CA_BUNDLE": "", "HTTPS_PROXY": "", "NO_PROXY": ""},
		{"HTTPS_PROXY": "http://proxy.example:3128/", "NO_PROXY": "any text"},
		{"HTTPS_PROXY": "http://[::1]"},
	} {
		env := goodEnv()
		maps.Copy(env, set)
		if _, err := ReadConfig(lookup(env)); err != nil {
			t.Errorf("%v gives %v", set, err)
		}
	}
}
