package sqldb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"headrace/internal/connect/channel/http"
	"headrace/internal/core/fault"
)

// dial connects to a server. Without leave it keeps off private networks.
func (s *settings) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, network, dialled string, _ syscall.RawConn) error {
		if s.inside {
			return nil
		}
		at, err := netip.ParseAddrPort(dialled)
		if err != nil || http.Private(at.Addr()) {
			return fault.New(fault.Refused, "the host of the address is on a private network").
				WithHint("an administrator may write such an address")
		}
		return nil
	}}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patient{Conn: c, idle: s.idle, idled: s.idled}, nil
}

// patient is a connection whose reads end when nothing comes for a time. Deadlines that a driver sets stay in force.
type patient struct {
	net.Conn
	idle  time.Duration
	idled *atomic.Bool

	mu  sync.Mutex
	set time.Time // by the driver; zero for none
}

// Read reads, waiting at most for the idle time.
func (p *patient) Read(b []byte) (int, error) {
	p.mu.Lock()
	until, own := time.Now().Add(p.idle), true
	if !p.set.IsZero() && p.set.Before(until) {
		until, own = p.set, false
	}
	err := p.Conn.SetReadDeadline(until)
	p.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	if own && errors.Is(err, os.ErrDeadlineExceeded) && !time.Now().Before(until) {
		p.idled.Store(true)
	}
	return n, err
}

// SetDeadline is the driver's.
func (p *patient) SetDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = t
	return p.Conn.SetDeadline(t)
}

// SetReadDeadline is the driver's.
func (p *patient) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = t
	return p.Conn.SetReadDeadline(t)
}

// tlsConfig is the TLS of the modes that drivers leave to us; nil for disable.
func (s *settings) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.url.Hostname(), MinVersion: tls.VersionTLS12}
	if s.ca != "" {
		pem, err := os.ReadFile(s.ca)
		if err != nil {
			return nil, fault.New(fault.Invalid, "option ca: %v", err).WithHint("give the path of a PEM file that this process may read")
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "option ca: %s holds no certificate in PEM form", s.ca).WithHint("it begins with -----BEGIN CERTIFICATE-----")
		}
	}
	switch s.mode {
	case "disable":
		return nil, nil
	case "verify-full":
	case "verify-ca":
		c.InsecureSkipVerify, c.VerifyConnection = true, chainOnly(c.RootCAs)
	default:
		c.InsecureSkipVerify = true
	}
	return c, nil
}

// chainOnly verifies who signed a certificate and not whose name it bears.
func chainOnly(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(o)
		return err
	}
}
