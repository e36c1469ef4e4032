package sftp

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"headrace/internal/connect/channel/http"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/web"
	"headrace/internal/core/fault"
)

// server is how a server is reached, known and logged into.
type server struct {
	address    string // host:port
	name       string // for people: user@host:port
	user       string
	approved   []string // fingerprints of its host key
	methods    []ssh.AuthMethod
	old        bool
	inside     bool
	connecting time.Duration
	silence    time.Duration // after which it is given up
}

func serverOf(a source.Address) (*server, error) {
	if a.URL.Hostname() == "" {
		return nil, fault.New(fault.Invalid, "the address names no host").WithHint("write sftp://user@host/in/*.csv")
	}
	s := &server{address: net.JoinHostPort(a.URL.Hostname(), cmp.Or(a.URL.Port(), "22")), inside: a.Inside,
		user: cmp.Or(a.Secret.User, a.URL.User.Username()), old: a.Options.Text("algorithms", "secure") == "old"}
	if s.user == "" {
		return nil, fault.New(fault.Invalid, "the address names no user").WithHint("write sftp://user@%s/in/*.csv, or name a credential", a.URL.Host)
	}
	s.name = s.user + "@" + s.address
	var err error
	if s.approved, err = fingerprints(a.Options.Text("host_key", "")); err != nil {
		return nil, err
	}
	if s.connecting, err = web.Duration(a.Options, "connect_timeout", 15*time.Second); err != nil {
		return nil, err
	}
	if s.silence, err = web.Duration(a.Options, "timeout", time.Minute); err != nil {
		return nil, err
	}
	s.methods, err = methods(a.Secret)
	return s, err
}

func fingerprints(text string) ([]string, error) {
	all := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	for i, f := range all {
		all[i] = strings.TrimRight(f, "=")
		if !strings.HasPrefix(f, "SHA256:") {
			return nil, fault.New(fault.Invalid, "option host_key: %q is no fingerprint", f).
				WithHint("write it as ssh-keygen -lf shows it: SHA256: and 43 signs")
		}
	}
	return all, nil
}

// methods are the ways to log in: a key before a password, which is also the answer to what a server asks in a dialogue.
func methods(secret source.Secret) ([]ssh.AuthMethod, error) {
	var out []ssh.AuthMethod
	if secret.Key != "" {
		key, err := privateKey(secret)
		if err != nil {
			return nil, err
		}
		out = append(out, ssh.PublicKeys(key))
	}
	if secret.Password == "" {
		return out, nil
	}
	dialogue := func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if !echos[i] {
				answers[i] = secret.Password
			}
		}
		return answers, nil
	}
	return append(out, ssh.Password(secret.Password), ssh.KeyboardInteractive(dialogue)), nil
}

func privateKey(secret source.Secret) (ssh.Signer, error) {
	parse := func() (ssh.Signer, error) { return ssh.ParsePrivateKey([]byte(secret.Key)) }
	if secret.Phrase != "" {
		parse = func() (ssh.Signer, error) {
			return ssh.ParsePrivateKeyWithPassphrase([]byte(secret.Key), []byte(secret.Phrase))
		}
	}
	key, err := parse()
	var missing *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &missing):
		return nil, fault.New(fault.Invalid, "the private key is locked with a phrase, and none is given").WithHint("add the phrase to the credential")
	case err != nil && secret.Phrase != "":
		return nil, fault.New(fault.Denied, "the private key cannot be unlocked with the phrase given").WithHint("check the phrase, and that the key is in the form of OpenSSH or PEM")
	case err != nil:
		return nil, fault.New(fault.Invalid, "the private key cannot be read").WithHint("it must be in the form of OpenSSH or PEM: -----BEGIN OPENSSH PRIVATE KEY-----")
	}
	return key, nil
}

// shownKey is the host key that a server showed.
type shownKey struct {
	kind, fingerprint string
	passed            bool
}

// kinds of host keys, by what algorithms they sign with. A server may have one of each.
var kinds = [][]string{
	{ssh.KeyAlgoED25519}, {ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}, {ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

// connect makes a session. A server that shows another key than the approved one is asked for its keys of other kinds, of
// which the approved one may be.
func (s *server) connect(ctx context.Context) (*session, error) {
	first, out, err := s.try(ctx, nil)
	if first == nil || first.passed || len(s.approved) == 0 {
		return out, err
	}
	for _, algorithms := range kinds {
		if slices.Contains(algorithms, first.kind) || first.kind == ssh.KeyAlgoRSA && algorithms[0] == ssh.KeyAlgoRSASHA512 {
			continue
		}
		if shown, out, err := s.try(ctx, algorithms); shown != nil && shown.passed {
			return out, err
		}
	}
	return nil, err
}

// try makes one connection; it tells what key the server showed, nil when it came to none.
func (s *server) try(ctx context.Context, hostKeys []string) (*shownKey, *session, error) {
	raw, err := s.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	conn := &heard{Conn: raw}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var shown *shownKey
	if err := conn.SetDeadline(time.Now().Add(s.connecting)); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	config := s.config(hostKeys, func(_ string, _ net.Addr, key ssh.PublicKey) error {
		print := ssh.FingerprintSHA256(key)
		shown = &shownKey{kind: key.Type(), fingerprint: print, passed: slices.Contains(s.approved, print)}
		if !shown.passed {
			return errors.New("the host key is not approved")
		}
		return nil
	})
	out, err := begin(conn, s.address, config, s.silence)
	if err != nil {
		_ = conn.Close()
		return shown, nil, s.fault(ctx, shown, err)
	}
	out.who = s.name
	return shown, out, nil
}

func (s *server) config(hostKeys []string, check ssh.HostKeyCallback) *ssh.ClientConfig {
	good, bad := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	if hostKeys == nil { // the kind first whose fingerprint other programs show first
		hostKeys = slices.Concat(kinds[0], good.HostKeys)
		if s.old {
			hostKeys = slices.Concat(hostKeys, bad.HostKeys)
		}
	}
	out := &ssh.ClientConfig{User: s.user, Auth: s.methods, HostKeyCallback: check, HostKeyAlgorithms: hostKeys, ClientVersion: "SSH-2.0-headrace"}
	if !s.old {
		return out
	}
	out.KeyExchanges = slices.Concat(good.KeyExchanges, bad.KeyExchanges)
	out.Ciphers = slices.Concat(good.Ciphers, bad.Ciphers)
	out.MACs = slices.Concat(good.MACs, bad.MACs)
	return out
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: s.connecting, ControlContext: func(_ context.Context, _, dialled string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(dialled)
		if err != nil || !s.inside && http.Private(at.Addr()) {
			return fault.New(fault.Denied, "the host is on a private network").WithHint("an administrator may allow addresses of the own network for a saved source")
		}
		return nil
	}}
	conn, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, s.dialFault(ctx, err)
	}
	return conn, nil
}

func (s *server) dialFault(ctx context.Context, err error) error {
	var known *fault.Error
	var name *net.DNSError
	out := fault.Wrap(fault.Unavailable, err, "%s: no connection", s.name)
	switch {
	case ctx.Err() != nil:
		return fault.Wrap(fault.Canceled, ctx.Err(), "%s: given up", s.name)
	case errors.As(err, &known):
		return fault.During(s.name, known)
	case errors.As(err, &name) && name.IsNotFound:
		return out.WithHint("there is no such host: check the name")
	case errors.Is(err, syscall.ECONNREFUSED):
		return out.WithHint("nothing listens there: check host and port, and whether the server runs")
	}
	return out.WithHint("check host, port and firewall, or try again")
}

// fault says why there is no session.
func (s *server) fault(ctx context.Context, shown *shownKey, err error) error {
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case ctx.Err() != nil:
		return fault.Wrap(fault.Canceled, ctx.Err(), "%s: given up", s.name)
	case shown != nil && !shown.passed:
		return s.stranger(shown)
	case errors.As(err, &algorithms):
		return fault.New(fault.Invalid, "%s: no %s in common; the server offers %s", s.name, algorithms.What, strings.Join(algorithms.RequestedAlgorithms, ", ")).
			WithHint("if these are old ones and the server cannot be brought up to date, set option algorithms to old")
	case refused(err):
		return fault.New(fault.Denied, "%s: the server does not take %s", s.name, s.proof()).
			WithHint("check user, password and key in the credential, and that the server knows the public key")
	case errors.Is(err, errNoSubsystem):
		return fault.Wrap(fault.Invalid, err, "%s: the server offers no file transfer", s.name).WithHint("its operator must switch on the sftp subsystem for this user")
	}
	return fault.Wrap(fault.Unavailable, err, "%s: no session", s.name).WithHint("try again; if it stays so, this may be no SFTP server")
}

func (s *server) proof() string {
	if len(s.methods) == 0 {
		return "a login without password or key"
	}
	return "the password or key of " + s.user
}

// refused reports whether a server let nobody in. The library has no type for it; type 51 is the refusal of a dialogue
// that was not begun.
func refused(err error) bool {
	text := err.Error()
	return strings.Contains(text, "unexpected message type 51") || strings.Contains(text, "unable to authenticate") || strings.Contains(text, "authentication failures")
}

// stranger is the fault of a server whose key nobody approved.
func (s *server) stranger(shown *shownKey) error {
	if len(s.approved) == 0 {
		return fault.New(fault.Denied, "%s: the host key is not approved yet; the server shows %s (%s)", s.address, shown.fingerprint, shown.kind).
			WithHint("compare it with what the operator of the server says, then set option host_key to %s", shown.fingerprint)
	}
	return fault.New(fault.Denied, "%s: THE HOST KEY HAS CHANGED; the server shows %s (%s), approved is %s", s.address, shown.fingerprint, shown.kind,
		strings.Join(s.approved, " ")).WithHint("somebody may stand between, or the server was set up anew: nothing was sent; " +
		"ask its operator, and only then set option host_key to the new one")
}

var errNoSubsystem = errors.New("no sftp subsystem")
