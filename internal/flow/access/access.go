// Package access knows who calls and what they may do: users with passwords, roles, access control rules, tokens, API
// keys and rate limits. All of it is records; a Service compiles them and is the record.Guard of the product.
//
// What is read from the records is kept for a second. A change made through this process counts at once, one made by
// another node within that second.
package access

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"headrace/internal/core/record"
)

// fresh is how long what was read counts as current.
const fresh = time.Second

// Service answers who somebody is and what he may do. It is made before the database is opened, whose Guard and Hook
// it is, and gets it by Use.
type Service struct {
	db     *record.DB
	rules  cache[*ruleBook]
	users  cache[*member]
	tokens cache[*credential]
	keys   cache[*member]
	limits cache[[]rateRule]

	known  knownSecrets
	gate   chan struct{} // how many passwords are checked at once
	counts rateCounts
	log    *slog.Logger
}

// New makes a Service; db may be nil and set by Use.
func New(db *record.DB) *Service {
	s := &Service{db: db, gate: make(chan struct{}, atOnce), log: slog.Default()}
	s.known.forget()
	return s
}

// Use sets the database.
func (s *Service) Use(db *record.DB) { s.db = db }

// LogTo sets where failed logins and lock-outs are told.
func (s *Service) LogTo(log *slog.Logger) { s.log = log }

// Drop forgets what was read from the records.
func (s *Service) Drop() {
	s.rules.drop()
	s.users.drop()
	s.tokens.drop()
	s.keys.drop()
	s.limits.drop()
}

// Identity is a caller who has proved who he is.
type Identity struct {
	Actor       record.Actor
	UserID      string
	UserName    string
	DisplayName string
	Zone        *time.Location
	roles       map[string]bool
}

// HasRole reports whether the caller has any of the roles, inherited ones included; admin has all.
func (i *Identity) HasRole(names ...string) bool {
	for _, n := range names {
		if i.roles[n] {
			return true
		}
	}
	return i.roles[AdminRole]
}

// Roles lists the roles the caller has, inherited ones included, in order of name.
func (i *Identity) Roles() []string { return sortedKeys(i.roles) }

// AdminRole is the role that has all others.
const AdminRole = "admin"

// session is how the package itself reads and writes.
func (s *Service) session() record.Session { return s.db.As(record.System) }

func (s *Service) table(name string) *record.Table { return s.db.Catalog().Table(name) }

// cache keeps what a load gave for as long as it is fresh. One caller at a time loads an entry anew while the others
// go on with the old one: whoever holds a connection of the store never waits here for somebody who wants another.
type cache[V any] struct {
	mu    sync.Mutex
	slots map[string]*slot[V]
}

type slot[V any] struct {
	loading sync.Mutex
	mu      sync.Mutex
	value   V
	at      time.Time // zero: nothing there
	dropped time.Time // when it was last said to be old
}

// settling is how long after a drop nothing that is loaded counts as fresh: entries are dropped by writers before they
// commit, and what is loaded until then is old.
const settling = fresh

// mostSlots bounds a cache; when it is full it starts anew.
const mostSlots = 10_000

// stale is how old an entry may become while somebody else is slow to load it anew.
const stale = 10 * fresh

func (c *cache[V]) get(ctx context.Context, key string, load func(context.Context) (V, error)) (V, error) {
	s := c.slot(key)
	value, age, there := s.read()
	if there && age < fresh {
		return value, nil
	}
	if there && age < stale {
		if !s.loading.TryLock() {
			return value, nil
		}
	} else {
		s.loading.Lock()
	}
	defer s.loading.Unlock()
	value, age, there = s.read()
	if there && age < fresh { // somebody else has loaded it meanwhile
		return value, nil
	}
	at := time.Now()
	value, err := load(ctx)
	if err == nil {
		s.write(value, at)
	}
	return value, err
}

func (c *cache[V]) slot(key string) *slot[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.slots) >= mostSlots || c.slots == nil {
		c.slots = map[string]*slot[V]{}
	}
	s := c.slots[key]
	if s == nil {
		s = &slot[V]{}
		c.slots[key] = s
	}
	return s
}

// read gives the value and its age; one that must be loaded anew is as old as it takes.
func (s *slot[V]) read() (value V, age time.Duration, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age = time.Since(s.at)
	if age < fresh && s.at.Before(s.dropped.Add(settling)) {
		age = fresh
	}
	return s.value, age, !s.at.IsZero()
}

func (s *slot[V]) write(value V, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.at = value, at
}

// drop makes every entry old: the next to ask loads it anew. It stays for those who ask meanwhile, who may be writers
// that hold the connections a load waits for.
func (c *cache[V]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.slots {
		s.mu.Lock()
		s.dropped = time.Now()
		s.mu.Unlock()
	}
}
