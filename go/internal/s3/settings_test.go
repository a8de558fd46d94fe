// S17 to S21: authorities, proxies and no other variable.

package s3

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rosetta/internal/aggregator"
)

func authorities(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

func TestABundleTakesThePlaceOfTheAuthorities(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		server := httptest.NewUnstartedServer(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) {}))
		server.Config.ErrorLog = nil
		server.StartTLS()
		defer server.Close()
		// a file that crypto/x509 would read
		file := filepath.Join(t.TempDir(), "authorities.pem")
		block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
		check(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		t.Setenv("SSL_CERT_FILE", file)
		config := settings(client, server.URL)
		if _, _, err := Open(config).Get(t.Context(), "bucket", "k", 0); err == nil {
			t.Error("the server is trusted without the bundle")
		}
		config.Authorities = authorities(server)
		_, _, err := Open(config).Get(t.Context(), "bucket", "k", 0)
		check(t, err)
	})
}

// proxy connects its clients to where they ask, and remembers it.
type proxy struct {
	net.Listener
	mutex sync.Mutex
	asked []string
}

func newProxy(t *testing.T) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{Listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go p.connect(near)
		}
	}()
	return p
}

func (p *proxy) connect(near net.Conn) {
	defer near.Close()
	request, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil {
		return
	}
	p.mutex.Lock()
	p.asked = append(p.asked, request.Method+" "+request.Host)
	p.mutex.Unlock()
	far, err := net.Dial("tcp", request.Host)
	if err != nil {
		return
	}
	defer far.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(far, near) }()
	_, _ = io.Copy(near, far)
}

func TestAProxyIsForTLSOnly(t *testing.T) {
	forEachClient(t, func(t *testing.T, client string) {
		empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		plain, secure := httptest.NewServer(empty), httptest.NewTLSServer(empty)
		defer plain.Close()
		defer secure.Close()
		address := strings.TrimPrefix(secure.URL, "https://")
		for _, c := range []struct{ endpoint, noProxy, asked string }{
			{secure.URL, "", "CONNECT " + address},
			{secure.URL, "27.0.0.1,example.com", "CONNECT " + address},
			{secure.URL, "example.com, 0.0.1", ""},
			{plain.URL, "", ""},
		} {
			proxy := newProxy(t)
			config := settings(client, c.endpoint)
			config.Authorities, config.NoProxy = authorities(secure), c.noProxy
			config.Proxy = "http://" + proxy.Addr().String() + "/"
			_, _, err := Open(config).Get(t.Context(), "bucket", "k", 0)
			check(t, err)
			proxy.mutex.Lock()
			if got := strings.Join(proxy.asked, ","); got != c.asked {
				t.Errorf("%s but for %q: the proxy is asked %q", c.endpoint, c.noProxy, got)
			}
			proxy.mutex.Unlock()
		}
	})
}

func TestNamesOfNoProxy(t *testing.T) {
	for noProxy, wants := range map[string]string{
		"":                   "",
		"*":                  "a.example.com example.com com other 10.0.0.1 ::1",
		"other, *":           "a.example.com example.com com other 10.0.0.1 ::1",
		"example.com":        "a.example.com example.com",
		" .Example.COM ,":    "a.example.com example.com",
		"*.example.com":      "a.example.com example.com",
		"*example.com":       "",
		"xample.com,the":     "",
		"com":                "a.example.com example.com com",
		"10.0.0.1,[::1],,.,": "10.0.0.1 ::1",
		"example.com:443":    "",
	} {
		var got []string
		for _, host := range []string{
			"A.example.com", "example.com", "com", "other", "10.0.0.1", "::1",
		} {
			if matches(noProxy, host) {
				got = append(got, strings.ToLower(host))
			}
		}
		if strings.Join(got, " ") != wants {
			t.Errorf("%q matches %q, expected %s", noProxy, got, wants)
		}
	}
}

// S20: where the proxy has no port, it is 80.
func TestThePortOfAProxy(t *testing.T) {
	config := aggregator.Config{Proxy: "http://proxy.example"}
	request := httptest.NewRequest(http.MethodGet, "https://bucket.s3.eu-west-1.amazonaws.com", nil)
	url, err := proxyOf(config)(request)
	if err != nil || url.Scheme != "http" || url.Host != "proxy.example" {
		t.Errorf("the proxy is %v %v", url, err)
	}
}
