// Package rule runs business rules around every write, and script actions and async rules as handler runs. Rules take
// part as a record.Hook; tables that no rule is about pay nothing.
package rule

import (
	"context"
	"log/slog"

	"headrace/internal/core/record"
	"headrace/internal/flow/access"
	"headrace/internal/flow/event"
	"headrace/internal/flow/script"
)

// Config is what a Service is made of.
type Config struct {
	DB     *record.DB
	Access *access.Service // answers role conditions
	Events *event.Service
	// Rules runs the scripts of before and after rules, inside a transaction: its time limit should be short. Handlers runs
	// those of async rules and script actions.
	Rules, Handlers *script.Engine
	// Strict refuses a write when a rule before it fails. Otherwise the failure is logged and the write goes on, as on the
	// platform.
	Strict bool
	// MostRuns is how many rules one write may set off, whatever they write; 0 is 5,000.
	MostRuns int
	Log      *slog.Logger // nil is slog.Default()
}

// Service is the rules of a database. It is made before the database is opened, whose hook it is, and completed by Use.
type Service struct {
	cfg  Config
	book record.Kept[book]
}

// New makes a Service.
func New() *Service { return &Service{} }

// Use completes the Service, and has it handle events.
func (s *Service) Use(cfg Config) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MostRuns == 0 {
		cfg.MostRuns = 5000
	}
	s.cfg = cfg
	cfg.Events.Add(actions{s})
	cfg.Events.Add(asyncs{s})
}

// Keeper is the hook that checks rules and script actions when they are saved.
func (s *Service) Keeper() record.Hook { return keeper{s} }

func (s *Service) table(name string) *record.Table { return s.cfg.DB.Catalog().Table(name) }

// current gives the book to those who are in no write transaction.
func (s *Service) current(ctx context.Context) (*book, error) {
	if !s.book.Fresh() {
		if err := s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error { return s.Refresh(ctx, tx) }); err != nil {
			return nil, err
		}
	}
	return s.book.Get(), nil
}

// Refresh makes Service a record.Refresher.
func (s *Service) Refresh(ctx context.Context, tx record.Tx) error {
	if s.cfg.DB == nil {
		return nil
	}
	return s.book.Refresh(ctx, s.cfg.DB, tx, revisionName, s.load)
}
