package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/door/rest"
	"headrace/internal/door/rest/attachment"
	"headrace/internal/door/rest/batch"
	"headrace/internal/door/rest/export"
	staging "headrace/internal/door/rest/importset"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/v1"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/schedule/cleaner"
)

// ServeConfig says how a server runs.
type ServeConfig struct {
	Listen        string // host:port; port 0 is any free one
	Spool         string // folder for uploads and plans
	TLSCert       string // files of a certificate and its key; none: plain HTTP
	TLSKey        string
	Base          string // the URL of this server in links; "" takes what each request names
	AdminPassword string // of the first user; "" draws one
	Limits        rest.Limits
	Drain         time.Duration // how long requests under way may take when the server stops; 0 is 15 s
	Log           *slog.Logger
	// Ready is called once the server listens.
	Ready func(Serving)
}

// Serving is a server that listens.
type Serving struct {
	URL string
	// Password is that of the user admin when it was drawn at this start: it is not kept and cannot be shown again.
	Password string
	// Open says that others than this machine can reach the server, and that what is said is not encrypted.
	Open bool
}

// AdminUser is the name of the first user.
const AdminUser = "admin"

// drainFor is how long requests under way may take when the server stops.
const drainFor = 15 * time.Second

// importSlots is how many imports of the own API run at once.
const importSlots = 2

// Serve answers requests until ctx is done. Then it takes no more, halts imports so that they can be resumed, and lets
// requests under way end.
func (a *App) Serve(ctx context.Context, cfg ServeConfig) error {
	password, err := a.firstStart(ctx, cfg.AdminPassword)
	if err != nil {
		return err
	}
	secure, err := tlsConfig(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "%s cannot be listened on: %v", cfg.Listen, rootOf(err)).WithHint("--listen names another address, such as 127.0.0.1:0 for any free port")
	}
	s := &serving{App: a, cfg: cfg, stopping: make(chan struct{}), work: importset.NewBackground(importSlots), open: !loopback(listener.Addr())}
	if err := s.build(); err != nil {
		return errors.Join(err, listener.Close())
	}
	url := "http://" + listener.Addr().String()
	if secure != nil {
		url = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, secure)
	}
	if cfg.Ready != nil {
		cfg.Ready(Serving{URL: url, Password: password, Open: s.open && secure == nil})
	}
	return s.run(ctx, listener)
}

// rootOf is the innermost error: the system's own words.
func rootOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// firstStart makes what every server has: base tables, access rules, and the user admin. It returns the password that it
// drew.
func (a *App) firstStart(ctx context.Context, given string) (drawn string, err error) {
	if err := ground(ctx, a.DB, a.Sources, a.Exports); err != nil {
		return "", err
	}
	if err := access.Seed(ctx, a.DB); err != nil {
		return "", err
	}
	if err := cleaner.Seed(ctx, a.DB, retention()); err != nil {
		return "", err
	}
	password := given
	if password == "" {
		password = rand.Text()
	}
	made, err := a.Access.CreateAdmin(ctx, password)
	if err != nil || !made || given != "" {
		return "", err
	}
	return password, nil
}

func tlsConfig(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, fault.New(fault.Invalid, "a certificate and its key belong together").WithHint("give both --tls-cert FILE and --tls-key FILE")
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the certificate cannot be used: %v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

func loopback(a net.Addr) bool {
	at, ok := a.(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// serving is a server between its start and its end.
type serving struct {
	*App
	cfg      ServeConfig
	open     bool // to others than this machine
	http     *http.Server
	own      *v1.API
	work     *importset.Background
	stopping chan struct{}
}

// build puts the doors together.
func (s *serving) build() error {
	deps := wire.Deps{DB: s.DB, Access: s.Access, Imports: s.Imports, Formats: Formats(), Log: s.cfg.Log, Base: s.cfg.Base}
	var err error
	s.own, err = v1.New(v1.Config{DB: s.DB, Imports: s.Imports, Sources: s.Sources, Work: s.work, Formats: Formats(), Plan: s.Plan, Trace: s.Trace, Caller: caller, Spool: s.cfg.Spool,
		MaxUpload: s.cfg.Limits.Body, Stopping: s.stopping, Log: deps.Logger()})
	if err != nil {
		return err
	}
	handler, err := rest.Server(rest.Config{Deps: deps, Routes: func(inside http.Handler) []wire.Route { return routes(deps, inside) }, Own: s.own, Limits: s.cfg.Limits, OpenMetrics: !s.open, Stopping: s.stopping})
	if err != nil {
		return err
	}
	s.http = s.cfg.Limits.HTTP(handler)
	s.http.ErrorLog = slog.NewLogLogger(deps.Logger().Handler(), slog.LevelWarn)
	return nil
}

// routes lists the compatible APIs.
func routes(d wire.Deps, inside http.Handler) []wire.Route {
	return slices.Concat(table.Routes(d), attachment.Routes(d), staging.Routes(d), export.Routes(d, inside), batch.Routes(d, inside))
}

// caller is who calls, as the own API knows him.
func caller(r *http.Request) *v1.Caller {
	who := wire.IdentityFrom(r.Context())
	if who == nil {
		return nil
	}
	return &v1.Caller{Actor: who.Actor, UserName: who.UserName, HasRole: who.HasRole}
}

// run serves until ctx is done, then stops.
func (s *serving) run(ctx context.Context, listener net.Listener) error {
	var tending sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer tending.Wait()
	defer cancel()
	if err := s.Queue.Start(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	tending.Go(func() { s.tend(ctx) })
	tending.Go(func() { s.Imports.Work(ctx, s.loadFailed) })
	tending.Go(func() { s.keepLog(ctx) })
	tending.Go(func() { s.Exports.Work(ctx, s.exportFailed) })
	tending.Go(func() { s.Schedules.Watch(ctx) })
	tending.Go(func() { s.listen(ctx) })
	ended := make(chan error, 1)
	tending.Go(func() { ended <- s.http.Serve(listener) })
	select {
	case err := <-ended:
		s.work.Stop()
		return errors.Join(fault.Wrap(fault.Unavailable, err, "the server ended"), s.Queue.Stop(ctx))
	case <-ctx.Done():
	}
	return s.stop(context.WithoutCancel(ctx))
}

// stop ends streams and imports, lets the other requests end, and cuts off those that take too long.
func (s *serving) stop(ctx context.Context) error {
	close(s.stopping)
	s.Schedules.Halt()
	drain := s.cfg.Drain
	if drain == 0 {
		drain = drainFor
	}
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	var halting sync.WaitGroup
	defer halting.Wait()
	halting.Go(s.work.Stop)
	halting.Go(func() {
		if err := s.Queue.Stop(ctx); err != nil {
			s.own.Log.Warn("jobs are cut off", "error", err)
		}
	})
	if err := s.http.Shutdown(ctx); err != nil {
		s.own.Log.Warn("requests are cut off", "after", drain.String())
		return errors.Join(s.http.Close())
	}
	return nil
}

// sweepEvery is how often what nobody needs any more is removed.
const sweepEvery = time.Hour

// loadFailed logs a load of pushed rows that could not be transformed, or that loads could not be looked for (run 0).
func (s *serving) loadFailed(run int64, err error) {
	log := s.cfg.Log
	if log == nil {
		log = slog.Default()
	}
	log.Warn("pushed rows are not transformed", "run", run, "error", err)
}

// exportFailed logs that exported files could not be taken further; what becomes of one stands in its run.
func (s *serving) exportFailed(err error) {
	s.own.Log.Warn("exported files", "error", err)
}

// keepLog writes what scripts log while the server runs.
func (s *serving) keepLog(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.scripts.library.Keep(ctx); err != nil {
			s.own.Log.WarnContext(ctx, "the log of scripts is not written", "error", err)
		}
	}
}

// tend keeps house while the server runs.
func (s *serving) tend(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	clean := s.newCleaner()
	for {
		_, old := clean.Sweep(ctx)
		_, sent := s.Exports.Sweep(ctx)
		if err := errors.Join(s.own.Sweep(ctx), attachment.Sweep(ctx, s.DB), old, sent); err != nil && ctx.Err() == nil {
			s.own.Log.WarnContext(ctx, "sweeping up", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
