// Package outbound calls other systems: REST and SOAP messages that are records, deliveries that are queued in the
// transaction of the change that wants them, tried again, and replayed, and answers that become rows of an import set.
//
// There are two ways. Enqueue makes a delivery inside a transaction: it is sent if and only if the transaction commits,
// by a job, with the policy of its message. Do calls at once and waits; inside a transaction it is refused.
//
// A delivery is made whole when it is enqueued: variables are put in, so that what is sent is what was meant then. Only
// credentials are looked up when it is sent. What is kept of requests and answers is redacted, and what must be kept
// whole is sealed.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	nethttp "net/http"
	"time"

	channel "headrace/internal/connect/channel/http"
	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/access/vault"
	"headrace/internal/flow/importset"
	"headrace/internal/store/queue"
)

// Config is what a Service is made of.
type Config struct {
	DB      *record.DB
	Vault   *vault.Vault
	Queue   *queue.Queue
	Imports *importset.Service // takes the rows of answers; nil: answers with a table are refused
	Formats []format.Format    // that answers are read with
	Log     *slog.Logger       // nil is slog.Default
	// Through replaces the network, for tests and dry runs: a recorded or scripted partner.
	Through nethttp.RoundTripper
	// TLS is for partners with certificates of their own; nil is the system's.
	TLS *tls.Config
	// Clock is what deliveries are timed by; nil is time.Now.
	Clock func() time.Time
	// Dice gives a number from [0, 1) for the jitter of waits; nil draws one.
	Dice func() float64
}

// Service keeps messages, sends, and keeps deliveries. It is safe for use by many goroutines.
type Service struct {
	db      *record.DB
	vault   *vault.Vault
	queue   *queue.Queue
	imports *importset.Service
	formats []format.Format
	log     *slog.Logger
	client  *channel.Client
	clock   func() time.Time
	dice    func() float64
	hosts   hosts
	tokens  tokens
	allowed allowed
}

// New makes a Service.
func New(cfg Config) *Service {
	s := &Service{db: cfg.DB, vault: cfg.Vault, queue: cfg.Queue, imports: cfg.Imports, formats: cfg.Formats, log: cmp.Or(cfg.Log, slog.Default()), clock: cfg.Clock, dice: cfg.Dice}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.dice == nil {
		s.dice = draw
	}
	s.client = channel.New(channel.Config{Allow: s.allowed.list, Through: cfg.Through, TLS: cfg.TLS})
	s.allowed.db, s.hosts.s = s.db, s
	s.queue.Handle(JobKind, s.work)
	return s
}

// Close ends connections that wait for the next call.
func (s *Service) Close() { s.client.Close() }

// Pair is a header or a query parameter.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Variable is what takes the place of ${name}. With Escape "" it is escaped by the content type it comes to stand in;
// else by "noescape", "xml", "json" or "url".
type Variable struct {
	Value  string
	Escape string
}

// Basic is a user name and a password.
type Basic struct{ User, Password string }

// Request asks for a call: a function of a message, what differs from it, or everything when there is no message. The
// zero value of a field means: as the message says.
type Request struct {
	Message, Function string // names or sys_ids
	SOAP              bool   // the message is a SOAP message

	Method    string
	Endpoint  string // given here it comes from data, unless its host is that of the message
	Header    []Pair // in the place of the message's of the same name
	Query     []Pair // behind the message's
	Body      *string
	Variables map[string]Variable

	SOAPAction    *string
	UsernameToken *Basic // WS-Security

	Basic     *Basic // in the place of the message's credentials, as is a Profile
	Profile   string // kind of the profile: "basic", "oauth2", "api_key"
	ProfileID string // its sys_id or name
	Requestor string // whose OAuth token; "" is everybody's

	Timeout   time.Duration // between bytes, as setHttpTimeout means it; the policy bounds the rest
	Redirects *bool
	Allowed   []string // URLs that redirects may lead to
	LogLevel  string
	Literal   bool // placeholders in the endpoint, headers and content go out as they are (the platform's forced substitution off)
	Guarded   bool // the endpoint of the message itself comes from data

	Key         string // idempotency key; "": made from KeyStem, or none
	KeyStem     string // stable over repeats of the handler that asks; with Nth it makes the key
	Nth         int    // which call of the handler this is, from 0
	Trace       string
	SourceTable string // the record that the call is about
	SourceID    string
	Handler     string // who asks, for people: "script action Tell partner"
}

// Response is the answer to a call that was made at once.
type Response struct {
	Status  int
	Header  nethttp.Header
	Body    []byte
	Took    time.Duration
	Request Sent
}

// Sent is what went out, for whoever asked for it: with values, without credentials.
type Sent struct {
	Method, Endpoint, Query, Body string
	Header                        []Pair
}

// Enqueue makes a delivery in the transaction of w and gives its id. It is sent if and only if the transaction commits.
// Errors are those of the message and its variables; a delivery that the loop guard withholds is no error, its record
// says so.
func (s *Service) Enqueue(ctx context.Context, w *record.Writer, r Request) (delivery string, err error) {
	c, err := s.compose(ctx, w.Tx(), r)
	if err != nil {
		return "", err
	}
	return s.enter(ctx, w, c)
}

// Do calls at once and waits for the answer. An answer of whatever status is no error; the error of a call without one
// is of kind Unavailable and has a *channel.Failure as its cause.
func (s *Service) Do(ctx context.Context, r Request) (*Response, error) {
	var c *call
	err := s.db.Store().Read(ctx, func(tx record.Tx) (err error) {
		if c, err = s.compose(ctx, tx, r); err == nil {
			err = s.refuseLoop(ctx, tx, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	got := s.send(ctx, c)
	if err := s.logCall(ctx, c, got, ""); err != nil {
		return nil, err
	}
	if got.err != nil {
		return nil, fault.Wrap(fault.Unavailable, got.err, "%s: %s", c.title(), got.err.Error())
	}
	return got.response(c), nil
}

// Find checks that the function of a message that a request names is there: a NotFound fault when not.
func (s *Service) Find(ctx context.Context, tx record.Tx, r Request) error {
	_, err := loader{s, tx}.load(ctx, r)
	return err
}

// DB is the database of the messages.
func (s *Service) DB() *record.DB { return s.db }
