// Package web is what sources that speak HTTP have in common: their options, their network, and what its failures mean.
package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	nethttp "net/http"
	"os"
	"syscall"
	"time"

	"headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Options are those of every such source.
func Options() []record.Field {
	return []record.Field{
		{Name: "ca_file", Label: "Certificates", Type: record.String, Help: "a file of certificates in PEM form that are trusted beside those of the system"},
		{Name: "connect_timeout", Label: "Connect time-out", Type: record.String, Default: "10s", Help: "a duration such as 10s, for the connection and again for its encryption"},
		{Name: "timeout", Label: "Time-out", Type: record.String, Default: "60s", Help: "a duration such as 60s, for the first byte of an answer and for each pause in it"},
	}
}

// Network is the way to the servers of one source.
type Network struct {
	client *http.Client
	limits http.Timeouts
}

// New makes the Network of an address, whose options are checked already but for durations and the file of certificates.
func New(a source.Address) (*Network, error) {
	connect, err := Duration(a.Options, "connect_timeout", 10*time.Second)
	if err != nil {
		return nil, err
	}
	pause, err := Duration(a.Options, "timeout", time.Minute)
	if err != nil {
		return nil, err
	}
	trust, err := trusted(a.Options.Text("ca_file", ""))
	if err != nil {
		return nil, err
	}
	return &Network{client: http.New(http.Config{TLS: trust, Through: a.Through}),
		limits: http.Timeouts{Connect: connect, TLS: connect, FirstByte: pause, Idle: pause}}, nil
}

// Transport gives the network itself; outside says that it may not lead to private addresses.
func (n *Network) Transport(outside bool) nethttp.RoundTripper {
	return n.client.Transport(outside, n.limits)
}

// Close ends the idle connections.
func (n *Network) Close() { n.client.Close() }

// Duration reads an option; the fault is of kind Invalid.
func Duration(o format.Options, name string, def time.Duration) (time.Duration, error) {
	text := o.Text(name, "")
	if text == "" {
		return def, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fault.New(fault.Invalid, "option %s: %q is no duration above 0", name, text).WithHint("write 90s, 10m or 2h")
	}
	return d, nil
}

func trusted(path string) (*tls.Config, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "option ca_file: the certificates cannot be read").WithHint("name a file that this program may read")
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "option ca_file: %s holds no certificate", path).WithHint("it must be in PEM form: -----BEGIN CERTIFICATE-----")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Fault says what a failed exchange with a server means. Other errors than failures of the network are Unavailable.
func Fault(server string, err error) error {
	var known *fault.Error
	var f *http.Failure
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case !errors.As(err, &f):
		return other(server, err)
	}
	switch f.Phase {
	case http.Stopped:
		return fault.Wrap(fault.Canceled, context.Canceled, "%s: given up", server)
	case http.Guard:
		return fault.Wrap(fault.Denied, f, "%s: %s", server, f.Msg).
			WithHint("an administrator may allow addresses of the own network for a saved source")
	case http.TLS:
		return secureFault(server, f)
	case http.Connect:
		return connectFault(server, f)
	}
	return fault.Wrap(fault.Unavailable, f, "%s: %s", server, f.Msg).WithHint("try again; it goes on where it broke off")
}

func other(server string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(fault.Canceled, err, "%s: given up", server)
	}
	return fault.Wrap(fault.Unavailable, err, "%s: no whole answer", server).WithHint("try again")
}

func connectFault(server string, f *http.Failure) error {
	out := fault.Wrap(fault.Unavailable, f, "%s: %s", server, f.Msg)
	var name *net.DNSError
	switch {
	case errors.As(f, &name) && name.IsNotFound:
		return out.WithHint("there is no such host: check the name")
	case errors.Is(f, syscall.ECONNREFUSED):
		return out.WithHint("nothing listens there: check host and port, and whether the server runs")
	}
	return out.WithHint("check host, port and firewall, or try again")
}

// secureFault tells certificates that are not trusted, which stay so, from connections that broke.
func secureFault(server string, f *http.Failure) error {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		plain   tls.RecordHeaderError
	)
	denied := fault.Wrap(fault.Denied, f, "%s: the certificate is not trusted: %s", server, f.Msg)
	switch {
	case errors.As(f, &unknown):
		return denied.WithHint("if it is of an own authority, name its certificates with option ca_file")
	case errors.As(f, &host):
		return denied.WithHint("it is for another host: use the name that it is made for")
	case errors.As(f, &invalid):
		return denied.WithHint("it may be out of date or for another use: the operator of the server must renew it")
	case errors.As(f, &plain):
		return fault.Wrap(fault.Invalid, f, "%s: %s", server, f.Msg).WithHint("the server does not encrypt at this port: check the port, or use an http: address")
	}
	return fault.Wrap(fault.Unavailable, f, "%s: %s", server, f.Msg).WithHint("try again")
}
