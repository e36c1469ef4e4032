// Package resttest is a small server for the tests of REST APIs: a store of either kind, users with and without rights,
// and calls written as a line.
package resttest

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
	"headrace/internal/door/rest/wire"
	"headrace/internal/flow/access"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// Each runs a test on both stores. The package's TestMain is stores.Main.
func Each(t *testing.T, test func(t *testing.T, store record.Store)) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) { test(t, stores.Open(t, cfg)) })
}

// World is a server with the users admin, loader (role import_transformer) and guest (no role), whose passwords are
// their names.
type World struct {
	T       testing.TB
	URL     string
	DB      *record.DB
	Imports *importset.Service
}

// Routes makes the routes of a World. inside answers all of them, for APIs that call others.
type Routes func(d wire.Deps, inside http.Handler) []wire.Route

// New makes a World over a store with tables beside those of the product.
func New(t testing.TB, store record.Store, tables []record.Table, formats []format.Format, routes Routes) *World {
	t.Helper()
	who := access.New(nil)
	db, err := record.Open(t.Context(), store, record.Config{Tables: append(importset.Tables(), access.Tables()...), Hooks: []record.Hook{who}, Guard: who})
	if err != nil {
		t.Fatal(err)
	}
	who.Use(db)
	if _, err := db.Define(t.Context(), record.System, false, tables...); err != nil {
		t.Fatal(err)
	}
	if _, err := who.CreateAdmin(t.Context(), "admin"); err != nil {
		t.Fatal(err)
	}
	for name, roles := range map[string][]string{"loader": {"import_transformer"}, "guest": nil} {
		if _, err := who.CreateUser(t.Context(), access.NewUser{UserName: name, Password: name, Roles: roles}); err != nil {
			t.Fatal(err)
		}
	}
	w := &World{T: t, DB: db, Imports: importset.New(db)}
	d := wire.Deps{DB: db, Access: who, Imports: w.Imports, Formats: formats, Log: slog.New(slog.DiscardHandler)}
	mux := http.NewServeMux()
	wire.Mount(mux, d, routes(d, mux))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok {
			id, err := who.Basic(r.Context(), user, password)
			if err != nil {
				wire.WriteError(rw, r, d, wire.Unauthenticated())
				return
			}
			r = r.WithContext(wire.WithIdentity(r.Context(), id))
		}
		mux.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// For gives the same World for another test, such as one run of a fuzz target.
func (w *World) For(t testing.TB) *World {
	other := *w
	other.T = t
	return &other
}

// Insert makes a record and gives its id.
func (w *World) Insert(table string, pairs ...string) string {
	w.T.Helper()
	var values []record.Assignment
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, record.Assignment{Field: pairs[i], Value: record.Text(pairs[i+1])})
	}
	t, err := w.DB.Table(table)
	if err != nil {
		w.T.Fatal(err)
	}
	r, err := w.DB.As(record.System).Insert(w.T.Context(), t, values)
	if err != nil {
		w.T.Fatal(err)
	}
	return r.ID()
}

// Count counts the records of a table.
func (w *World) Count(table string) int64 {
	w.T.Helper()
	n, err := w.DB.As(record.System).Count(w.T.Context(), w.DB.Catalog().Table(table), nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

// Answer is what a call came to.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call makes a call as a user: "POST /api/now/import/u_feed", with headers as "Name: value". The body is a string, a
// reader, or nil.
func (w *World) Call(user, line string, body any, headers ...string) Answer {
	w.T.Helper()
	method, path, _ := strings.Cut(line, " ")
	var in io.Reader
	switch b := body.(type) {
	case string:
		in = strings.NewReader(b)
	case io.Reader:
		in = b
	}
	r, err := http.NewRequestWithContext(w.T.Context(), method, w.URL+path, in)
	if err != nil {
		w.T.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, user)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.T.Fatalf("%s: %v", line, err)
	}
	return Answer{resp.StatusCode, resp.Header, data}
}

// JSON reads the answer's body.
func (a Answer) JSON(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
}
