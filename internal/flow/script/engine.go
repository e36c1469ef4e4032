// Package script runs JavaScript on the server: the engine with its limits, and the record half of the platform's API
// (GlideRecord and its relatives). What else scripts may call comes from Modules.
package script

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dop251/goja"

	"headrace/internal/core/record"
	"headrace/internal/flow/access"
)

// Config is what an Engine is made of.
type Config struct {
	DB      *record.DB
	Access  *access.Service // answers canRead and its relatives; nil allows everything
	Modules []Module
	Clock   func() time.Time // nil is time.Now
	Log     func(ctx context.Context, e LogEntry)
	Limits  Limits
}

// Limits bound a script. Zero values are the defaults.
type Limits struct {
	Time   time.Duration // of one Run; 30 s
	Depth  int           // of calls; 2,000
	Memory uint64        // bytes by which the heap of the process may grow during one Run; 512 MB
}

const defaultTime = 30 * time.Second

func (l Limits) filled() Limits {
	if l.Time == 0 {
		l.Time = defaultTime
	}
	if l.Depth == 0 {
		l.Depth = 2000
	}
	if l.Memory == 0 {
		l.Memory = 512 << 20
	}
	return l
}

// LogEntry is one line that a script logged.
type LogEntry struct {
	Level   string // "info", "warn", "error", "debug"
	Message string
	Source  string // the script
	Trace   string
	Actor   string // on whose behalf
}

// Module adds names to every scope: classes such as sn_ws.RESTMessageV2, functions such as gs.eventQueue. Bind is called
// whenever a scope opens, so it must be quick.
type Module interface{ Bind(s *Scope) error }

// Source is one script. It is compiled once for its name and text.
type Source struct {
	Name string // such as "business rule Tell partner": stands in errors and in the log
	Text string
	// Expression says that the value of the last expression is what the script is about: a condition.
	Expression bool
}

// Engine compiles scripts and runs them in scopes. It is safe for concurrent use.
type Engine struct {
	cfg      Config
	mu       sync.Mutex
	programs map[Source]*program
	includes includes
	classes  map[string]func(*Scope)
}

// program is a compiled script.
type program struct {
	code  *goja.Program
	names []string // every name that it mentions: some may be script includes
	needs []int    // of patches
}

// New makes an Engine.
func New(cfg Config) *Engine {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	cfg.Limits = cfg.Limits.filled()
	boundPatterns()
	return &Engine{cfg: cfg, programs: map[Source]*program{}, classes: recordClasses()}
}

// Use completes an engine that was made before its database was opened. It must be called before scopes open.
func (e *Engine) Use(db *record.DB) { e.cfg.DB = db }

// LogTo adds a reader of what scripts log. It must be called before scopes open.
func (e *Engine) LogTo(log func(ctx context.Context, e LogEntry)) {
	first := e.cfg.Log
	e.cfg.Log = func(ctx context.Context, entry LogEntry) {
		if first != nil {
			first(ctx, entry)
		}
		log(ctx, entry)
	}
}

// Add adds modules: those that are made after the engine because they need it. It must be called before scopes open.
func (e *Engine) Add(m ...Module) { e.cfg.Modules = append(e.cfg.Modules, m...) }

// DB is the database that scripts see.
func (e *Engine) DB() *record.DB { return e.cfg.DB }

// Now is the time by the engine's clock.
func (e *Engine) Now() time.Time { return e.cfg.Clock().UTC() }

// Check compiles a script; an Invalid fault with name, line and column says why it cannot.
func (e *Engine) Check(src Source) error {
	_, err := e.compile(src)
	return err
}

// mostPrograms bounds the memory for compiled scripts; beyond it they are compiled anew.
const mostPrograms = 5000

func (e *Engine) compile(src Source) (*program, error) {
	e.mu.Lock()
	p := e.programs[src]
	e.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := compile(src)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.programs) >= mostPrograms {
		clear(e.programs)
	}
	e.programs[src] = p
	return p, nil
}

// Error is what went wrong in a script, and where.
type Error struct {
	Script  string
	Line    int
	Column  int
	Message string
	Stack   string
	Cause   error // of the product, when a call of a script failed; else nil
}

// Error makes Error an error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Script, e.Line, e.Column, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }
