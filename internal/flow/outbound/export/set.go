package export

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// set is an export set, read.
type set struct {
	*record.Record
	name string
}

func (s *set) text(field string) string { return strings.TrimSpace(s.Get(field).Text) }
func (s *set) is(field string) bool     { return s.Get(field).Text == "true" }

// find reads a set by name or sys_id; a NotFound fault, naming the one that may be meant, when there is none.
func (s *Service) find(ctx context.Context, name string) (*set, error) {
	t := s.cfg.DB.Catalog().Table(SetTable)
	q := &record.Query{Table: t, Fields: t.Names(), Limit: 1, Where: &query.Or{Parts: []query.Node{
		&query.Term{Field: "name", Op: query.Equal, Values: []string{name}}, &query.Term{Field: record.SysID, Op: query.Equal, Values: []string{name}}}}}
	var names []string
	for row, err := range s.cfg.DB.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		r := &record.Record{Table: t, Values: slices.Clone(row)}
		return &set{Record: r, name: r.Get("name").Text}, nil
	}
	for row, err := range s.cfg.DB.As(record.System).Select(ctx, &record.Query{Table: t, Fields: []string{"name"}, Limit: 1000}) {
		if err != nil {
			return nil, err
		}
		names = append(names, row[0].Text)
	}
	f := fault.New(fault.NotFound, "there is no export set %q", record.Clip(name))
	if near := record.Nearest(name, names); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("it is a record of %s", SetTable)
}

// reader is what reads the records of a set and how they are written.
type reader struct {
	table   *record.Table
	session record.Session
	zone    *time.Location
	query   *record.Query
	columns []column
	stamp   int // where sys_updated_on stands in what is read, -1 when nobody asks for it
	writer  format.Writer
	info    format.Info
	options format.Options
}

// column is one column of a file.
type column struct {
	head  string
	field *record.Field
	at    int  // where its value stands in what is read
	shown bool // what is shown of it
}

// compile finds out what a set asks for, on behalf of a user, "" being the system. Everything that is wrong with it is a fault of kind Invalid or NotFound that
// names the field.
func (s *Service) compile(ctx context.Context, def *set, as string) (*reader, error) {
	t, err := s.cfg.DB.Table(def.text("table_name"))
	if err != nil {
		return nil, def.wrong("table_name", err)
	}
	r := &reader{table: t, stamp: -1, zone: time.UTC, session: s.cfg.DB.As(record.System), query: &record.Query{Table: t}}
	env := query.Env{Now: s.cfg.DB.Now()}
	if err := s.runAs(ctx, def, as, r, &env); err != nil {
		return nil, err
	}
	if name := def.text("zone"); name != "" {
		if r.zone, err = time.LoadLocation(name); err != nil {
			return nil, def.bad("zone", "%q is no time zone", name).WithHint("its name is like Europe/Vienna")
		}
	}
	env.Zone = r.zone
	for _, step := range []func(*set, query.Env) error{r.choose, r.sort, r.spread, s.form(r)} {
		if err := step(def, env); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// bad is a fault about a field of the set.
func (s *set) bad(field, format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, format, args...)
	f.Op = "export set " + s.name + ": " + field
	return f
}

func (s *set) wrong(field string, err error) error {
	return fault.During("export set "+s.name+": "+field, err)
}

// runAs makes the session of the user that a run is made as. One who may not act is refused, for an empty file would be
// taken for all there is.
func (s *Service) runAs(ctx context.Context, def *set, id string, r *reader, env *query.Env) error {
	if id == "" || id == record.System.ID {
		env.UserID, env.UserName = record.System.ID, record.System.Name
		return nil
	}
	holder, err := s.cfg.Access.Holder(ctx, id)
	if err != nil {
		return err
	}
	who, err := s.cfg.Access.IdentityOf(ctx, holder.UserName)
	if err != nil {
		return fault.Wrap(fault.Denied, err, "export set %s runs as a user who may not act", def.name).WithHint("its field run_as names an active user, or nobody")
	}
	r.session, r.zone = s.cfg.DB.As(who.Actor), who.Zone
	env.UserID, env.UserName, env.UserDisplay = who.UserID, who.UserName, who.DisplayName
	return nil
}

// choose reads the condition. A term that means nothing is refused: without it more would be written than was meant.
func (r *reader) choose(def *set, env query.Env) error {
	q, err := query.Parse(def.text("query"), r.table, env)
	if err != nil {
		return def.wrong("query", err)
	}
	if len(q.Invalid) > 0 {
		return def.bad("query", "%q means nothing on table %s", q.Invalid[0], r.table.Name).WithHint("its fields: %s", strings.Join(r.table.Names(), ", "))
	}
	r.query.Where, r.query.OrderBy = q.Where, q.OrderBy
	return nil
}

// sort makes the order a total one, so that the same records make the same file.
func (r *reader) sort(def *set, _ query.Env) error {
	for name := range strings.SplitSeq(def.text("order_by"), ",") {
		name, desc := strings.CutPrefix(strings.TrimSpace(name), "-")
		if name == "" {
			continue
		}
		if r.table.Path(name) == nil {
			return def.bad("order_by", "table %s has no field %q", r.table.Name, name)
		}
		r.query.OrderBy = append(r.query.OrderBy, query.Order{Field: name, Desc: desc})
	}
	last := r.table.Key
	if r.table.Field(record.SysID) != nil {
		last = []string{record.SysID}
	}
	for _, name := range last {
		r.query.OrderBy = append(r.query.OrderBy, query.Order{Field: name})
	}
	return nil
}

// spread lays out the columns.
func (r *reader) spread(def *set, _ query.Env) error {
	paths := strings.FieldsFunc(def.text("fields"), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t' })
	if len(paths) == 0 {
		paths = r.usual()
	}
	for _, path := range paths {
		steps := r.table.Path(path)
		if steps == nil {
			return def.bad("fields", "table %s has no field %q", r.table.Name, path).WithHint("its fields: %s", strings.Join(r.table.Names(), ", "))
		}
		last := steps[len(steps)-1]
		switch {
		case last.Type == record.Secret:
			return def.bad("fields", "%s is a secret, and secrets are written to no file", path)
		case last.Type.IsJournal():
			return def.bad("fields", "%s is a journal: the record itself keeps nothing of it", path).WithHint("make an export set of %s", record.JournalTable)
		}
		r.add(def, path, last)
	}
	heads := make([]string, len(r.columns))
	for i := range r.columns {
		heads[i] = r.columns[i].head
	}
	heads, _ = format.Columns(heads)
	for i := range r.columns {
		r.columns[i].head = heads[i]
	}
	return nil
}

// usual are the fields of a file that names none.
func (r *reader) usual() []string {
	out := []string{}
	if r.table.Field(record.SysID) != nil {
		out = append(out, record.SysID)
	}
	for i := range r.table.Fields {
		f := &r.table.Fields[i]
		if !record.IsSystemField(f.Name) && f.Type != record.Secret && !f.Type.IsJournal() {
			out = append(out, f.Name)
		}
	}
	return out
}

// add makes the columns of one field: what is stored, what is shown, or both.
func (r *reader) add(def *set, path string, f *record.Field) {
	head := path
	if def.text("headers") == "labels" {
		head = cmp.Or(f.Label, path)
	}
	how := def.text("display_values")
	if how != "true" {
		r.columns = append(r.columns, column{head: head, field: f, at: r.fetch(path)})
	}
	if how == "false" || how == "" {
		return
	}
	if how == "all" {
		head = "dv_" + head
	}
	display, last := displayOf(r.table, path, f)
	r.columns = append(r.columns, column{head: head, field: last, at: r.fetch(display), shown: true})
}

// fetch gives the place of a path in what is read.
func (r *reader) fetch(path string) int {
	if at := slices.Index(r.query.Fields, path); at >= 0 {
		return at
	}
	r.query.Fields = append(r.query.Fields, path)
	return len(r.query.Fields) - 1
}

// deepest is how far a display value may itself refer to another record.
const deepest = 4

// displayOf follows references to what stands for the record they lead to.
func displayOf(t *record.Table, path string, f *record.Field) (string, *record.Field) {
	for range deepest {
		other := t.Catalog().Table(f.Reference)
		if f.Type != record.Reference || f.Reference == record.ObjectTable || other == nil || t.Path(path+"."+other.DisplayField().Name) == nil {
			break
		}
		f = other.DisplayField()
		path += "." + f.Name
	}
	return path, f
}

// form finds the format and its options.
func (s *Service) form(r *reader) func(*set, query.Env) error {
	return func(def *set, _ query.Env) error {
		f, err := format.Named(def.text("format"), s.cfg.Formats)
		if err != nil {
			return def.wrong("format", err)
		}
		var can bool
		if r.writer, can = f.(format.Writer); !can {
			return def.bad("format", "%s cannot be written", def.text("format"))
		}
		r.info = f.Info()
		if r.options, err = def.object("format_options"); err != nil {
			return err
		}
		r.presets(def)
		return def.wrong("format_options", r.options.Check(r.info.Options))
	}
}

// presets are the options that the set's own fields and columns say, where the format has them.
func (r *reader) presets(def *set) {
	put := func(name, value string) {
		if slices.ContainsFunc(r.info.Options, func(f record.Field) bool { return f.Name == name }) && r.options[name] == "" {
			r.options[name] = value
		}
	}
	put("guard", strconv.FormatBool(def.is("formula_guard")))
	put("header", strconv.FormatBool(def.text("headers") != "none"))
	put("nulls", "true")
	var literals []string
	for i := range r.columns {
		if c := &r.columns[i]; !c.shown && literal[c.field.Type.Stored()] {
			literals = append(literals, strconv.Itoa(i+1))
		}
	}
	put("literals", strings.Join(literals, ","))
}

// literal are the types whose values stand without quotes in formats that know more than texts.
var literal = map[record.Type]bool{record.Integer: true, record.Decimal: true, record.Boolean: true}

// object reads a field that holds an object of texts.
func (s *set) object(field string) (format.Options, error) {
	out := format.Options{}
	if text := s.text(field); text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			return nil, s.bad(field, "not an object of texts: %v", err).WithHint(`for instance {"delimiter": ";"}`)
		}
	}
	return out, nil
}

// refused is the fault of a set that cannot be run.
func (s *set) refused(why string) error {
	return fault.New(fault.Refused, "export set %s is not run: %s", s.name, why)
}

// busy is the fault of a set with a file under way.
func (s *set) busy(why string) error {
	return fault.New(fault.Conflict, "export set %s makes no new file: %s", s.name, why).
		WithHint("`headrace export list` shows its runs; `headrace export cancel RUN` gives one up")
}

// duration reads a field that holds one.
func (s *set) duration(field string) (time.Duration, error) {
	given := s.text(field)
	if given == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(given)
	if err != nil || d < 0 {
		return 0, s.bad(field, "%q is no duration", record.Clip(given)).WithHint("such as 90s, 5m or 24h")
	}
	return d, nil
}
