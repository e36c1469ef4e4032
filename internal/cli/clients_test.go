package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Client libraries that others wrote for the platform, as they are on npm, work against the server.

const clientPassword = "clients-know-it-1"

func TestPublicClientLibraries(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		address, cert := h.serveTLS(t)
		through := proxyTo(t, address)
		h.node(t, cert, through, "servicenow-rest", "headrace", "admin", clientPassword, t.TempDir())
		h.node(t, cert, "", "servicenow-rest-api", address, "admin", clientPassword)
	})
}

// serveTLS starts the server with a certificate of its own and gives its address and the certificate's file.
func (h *home) serveTLS(t *testing.T) (address, cert string) {
	t.Helper()
	cert, key := h.certificate(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HEADRACE_ADMIN_PASSWORD", clientPassword)
	p := h.start(t, "serve", "--listen", address, "--tls-cert", cert, "--tls-key", key, "--spool", filepath.Join(h.dir, "spool"))
	t.Cleanup(func() {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if e := p.end(); e.code != 0 || t.Failed() {
			t.Errorf("the server: %s", e)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			return address, cert
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// certificate makes a certificate for the loopback and for the hosts that the libraries know.
func (h *home) certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, DNSNames: []string{"*.service-now.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = h.write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key = h.write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// proxyTo starts a proxy that leads every tunnel to one address.
func proxyTo(t *testing.T, address string) string {
	t.Helper()
	var tunnels sync.WaitGroup
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := net.Dial("tcp", address)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "tunnels only", http.StatusBadGateway)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			t.Error(err)
		}
		for _, way := range []struct {
			to   net.Conn
			from io.Reader
		}{{here, there}, {there, buffered}} {
			tunnels.Go(func() {
				_, _ = io.Copy(way.to, way.from) // either end may hang up
				_ = way.to.Close()
			})
		}
	}))
	t.Cleanup(func() { proxy.Close(); tunnels.Wait() })
	return proxy.URL
}

// node runs a script against the server.
func (h *home) node(t *testing.T, cert, proxy, script string, args ...string) {
	t.Helper()
	modules := filepath.Dir(npm(t, script))
	file, err := filepath.Abs(filepath.Join("testdata", "clients", script+".js"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{"--no-deprecation", file}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "NODE_EXTRA_CA_CERTS="+cert, "HTTPS_PROXY="+proxy, "https_proxy="+proxy, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
}
