package sqldb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"syscall"

	"headrace/internal/core/fault"
)

// errConnectLate is why connecting was ended.
var errConnectLate = errors.New("the time-out of connecting is over")

// explain makes a fault of an error, in the words of people and without the password.
func (s *settings) explain(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	f = s.classify(err)
	if f == nil {
		f = s.explainNetwork(err)
	}
	if f.Kind == fault.Invalid && f.Hint == "" {
		f = f.WithHint("see what the database's own client says to it; only one SELECT is let through")
	}
	f = s.clean(f)
	f.Op = "reading " + s.what()
	if s.url.Host != "" {
		f.Op += " at " + s.url.Host
	}
	return f
}

// explainNetwork knows what goes wrong on the way to a server.
func (s *settings) explainNetwork(err error) *fault.Error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, errConnectLate):
		return fault.New(fault.Unavailable, "the server has not let us in within %s", s.connecting).
			WithHint("check host and port, and whether a firewall drops what goes there; option connect_timeout")
	case errors.As(err, &dns) && dns.IsNotFound:
		return fault.New(fault.NotFound, "there is no host %q", dns.Name).WithHint("check the host in the address")
	case errors.As(err, &dns):
		return fault.New(fault.Unavailable, "the host %q cannot be looked up: %s", dns.Name, dns.Err).WithHint("check the name service")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Unavailable, "nothing listens at %s: the connection is refused", s.address()).
			WithHint("check host and port, and whether the server runs and listens to others than itself")
	case s.idled.Load():
		return fault.New(fault.Unavailable, "nothing has come from the server for %s", s.idle).
			WithHint("try again, or raise the option idle_timeout for queries that think for long")
	}
	if f := s.explainTLS(err); f != nil {
		return f
	}
	return fault.New(fault.Unavailable, "the connection broke: %v", err).WithHint("try again; what was read so far is not all")
}

func (s *settings) explainTLS(err error) *fault.Error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var plainText tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return fault.New(fault.Denied, "the server's certificate is of an unknown authority").
			WithHint("give the authority's certificate with the option ca, or tls=require to go without the check")
	case errors.As(err, &host):
		return fault.New(fault.Denied, "the server's certificate is not for this host: %v", host).
			WithHint("use the name in the certificate, or tls=verify-ca to go without this check")
	case errors.As(err, &invalid), errors.As(err, &verify):
		return fault.New(fault.Denied, "the server's certificate is not valid: %v", err).WithHint("have it renewed")
	case errors.As(err, &plainText), strings.Contains(err.Error(), "refused TLS"), strings.Contains(err.Error(), "does not support TLS"),
		strings.Contains(err.Error(), "does not support encryption"):
		return fault.New(fault.Denied, "the server does not speak TLS").WithHint("have it set up, or use tls=disable on a network that you trust")
	}
	return nil
}

// clean takes the password out of what people see.
func (s *settings) clean(f *fault.Error) *fault.Error {
	c := *f
	c.Msg, c.Hint, c.Err = s.without(c.Msg), s.without(c.Hint), nil
	return &c
}

func (s *settings) scrub(err error) string { return s.without(err.Error()) }

func (s *settings) without(text string) string {
	if s.password == "" {
		return text
	}
	return strings.NewReplacer(s.password, "***", url.QueryEscape(s.password), "***", url.PathEscape(s.password), "***").Replace(text)
}
