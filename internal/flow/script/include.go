package script

import (
	"context"
	"sync"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// IncludeTable is the name of the table of script includes.
const IncludeTable = "sys_script_include"

// Tables lists the tables of this package.
func Tables() []record.Table {
	return []record.Table{{Name: IncludeTable, Label: "Script include", Fields: []record.Field{
		{Name: "name", Label: "Name", Type: record.String, Length: 100, Mandatory: true, Display: true},
		{Name: "api_name", Label: "API name", Type: record.String, Length: 200},
		{Name: "script", Label: "Script", Type: record.String},
		{Name: "active", Label: "Active", Type: record.Boolean, Default: "true"},
		{Name: "description", Label: "Description", Type: record.String, Length: 4000},
		{Name: "access", Label: "Accessible from", Type: record.String, Length: 40, Default: "package_private"},
		{Name: "caller_access", Label: "Caller access", Type: record.String, Length: 40},
		{Name: "client_callable", Label: "Client callable", Type: record.Boolean, Default: "false"},
		{Name: "sys_policy", Label: "Protection policy", Type: record.String, Length: 40},
	}, Indexes: []record.Index{{Fields: []string{"name"}}}}}
}

// includes is what is known of script includes: their texts by name. A change made by this process counts at once, one of
// another process within includesFor.
type includes struct {
	mu        sync.Mutex
	texts     map[string]string
	read      time.Time
	forgotten time.Time // when they were last said to be old
}

// includesFor is how long the script includes are taken to be as they were read, and settling how long after a change
// nothing that is read is kept: by then its writer has committed.
const (
	includesFor = time.Second
	settling    = 2 * time.Second
)

// Forget makes the engine read the script includes anew. Writers say so before they commit: until they have, what is read
// is kept for nobody.
func (e *Engine) Forget() {
	e.includes.mu.Lock()
	defer e.includes.mu.Unlock()
	e.includes.texts, e.includes.forgotten = nil, time.Now()
}

// include finds the text of a script include; "" when there is none of that name. Of two with one name the older counts. A
// scope sees those that there were when it first asked, and what this process changed since.
func (s *Scope) include(name string) (string, error) {
	if s.includes == nil || s.engine.includes.changedSince(s.asked) {
		s.asked = time.Now()
		texts, err := s.allIncludes()
		if err != nil {
			return "", err
		}
		s.includes = texts
	}
	return s.includes[name], nil
}

func (s *Scope) allIncludes() (map[string]string, error) {
	in := &s.engine.includes
	if texts := in.fresh(); texts != nil {
		return texts, nil
	}
	texts, err := s.readIncludes()
	if err == nil {
		in.keep(texts, s.asked)
	}
	return texts, err
}

func (in *includes) changedSince(t time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.forgotten.After(t)
}

func (in *includes) fresh() map[string]string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if time.Since(in.read) > includesFor {
		return nil
	}
	return in.texts
}

func (in *includes) keep(texts map[string]string, read time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if read.After(in.forgotten.Add(settling)) {
		in.texts, in.read = texts, read
	}
}

func (s *Scope) readIncludes() (map[string]string, error) {
	texts := map[string]string{}
	t := s.engine.cfg.DB.Catalog().Table(IncludeTable)
	if t == nil {
		return texts, nil
	}
	q := &record.Query{Table: t, Fields: []string{"name", "script"}, Where: &query.Term{Field: "active", Op: query.Equal, Values: []string{"true"}},
		OrderBy: []query.Order{{Field: record.SysCreatedOn, Desc: true}, {Field: record.SysID, Desc: true}}}
	read := func(tx record.Tx) error {
		for row, err := range tx.Select(s.ctx, q) {
			if err != nil {
				return err
			}
			texts[row[0].Text] = row[1].Text
		}
		return nil
	}
	if s.env.Writer != nil {
		return texts, read(s.env.Writer.Tx())
	}
	return texts, s.engine.cfg.DB.Store().Read(s.ctx, read)
}

// load makes ready what a program mentions: patches, and script includes that are not there yet, with what those mention in
// turn.
func (s *Scope) load(p *program) error {
	if s.loaded[p] {
		return nil
	}
	s.loaded[p] = true
	for _, i := range p.needs {
		if err := s.patch(i); err != nil {
			return err
		}
	}
	for _, name := range p.names {
		if s.known[name] {
			continue
		}
		s.known[name] = true
		if s.vm.GlobalObject().Get(name) != nil {
			continue
		}
		if _, err := s.Include(name); err != nil {
			return err
		}
	}
	return nil
}

// patch applies a patch, once.
func (s *Scope) patch(i int) error {
	if s.patched[i] {
		return nil
	}
	s.patched[i] = true
	if _, err := s.vm.RunProgram(patches[i].code); err != nil {
		return fault.Wrap(fault.Internal, err, "what is built into scripts")
	}
	return nil
}

// Include runs the script include of that name in the scope; it reports whether there is one.
func (s *Scope) Include(name string) (bool, error) {
	text, err := s.include(name)
	if err != nil || text == "" {
		return false, err
	}
	s.known[name] = true
	src := Source{Name: "script include " + name, Text: text}
	p, err := s.engine.compile(src)
	if err != nil {
		return false, err
	}
	if err := s.load(p); err != nil {
		return false, err
	}
	_, err = s.run(src.Name, p.code)
	return err == nil, err
}

// Hook watches the script includes: what is saved must be readable, and counts at once.
func (e *Engine) Hook() record.Hook { return includeHook{e} }

type includeHook struct{ e *Engine }

// Sees implements record.Hook.
func (includeHook) Sees(t *record.Table) bool { return t.Name == IncludeTable }

// Before implements record.Hook.
func (h includeHook) Before(_ context.Context, c *record.Change) error {
	if c.New == nil || c.New.Get("script").Empty() {
		return nil
	}
	if err := h.e.Check(Source{Name: "script include " + c.New.Get("name").Text, Text: c.New.Get("script").Text}); err != nil {
		return fault.During("saving a script include", err)
	}
	return nil
}

// After implements record.Hook.
func (h includeHook) After(context.Context, *record.Change) error { h.e.Forget(); return nil }
