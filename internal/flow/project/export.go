package project

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Exported tells what an export has written.
type Exported struct {
	Project string   `json:"project"`
	Files   []string `json:"files"`   // written, by path from the folder
	Records int      `json:"records"` // what they describe, parts not counted
	Left    int      `json:"left"`    // records whose files say so already
}

// product is the name under which the product writes what comes with it; that is in no project.
const product = "headrace"

// exporter writes records as files.
type exporter struct {
	*Service
	tx      record.Tx
	project *Project
	stems   map[string]bool
	same    map[string]bool // records, by table and name, whose files say what they are
	files   map[string][]byte
	out     *Exported
}

// Export writes what is configured as files of a folder: everything but what comes with the product and what belongs to
// another project. In a folder that is a project already, files that say what is are left alone, and others are written
// anew. name is that of the project, where the folder is none yet. Of secrets, references are written.
func (s *Service) Export(ctx context.Context, dir, name string) (*Exported, error) {
	e := &exporter{Service: s, stems: map[string]bool{}, same: map[string]bool{}, files: map[string][]byte{}}
	if err := e.begin(ctx, dir, name); err != nil {
		return nil, err
	}
	err := s.cfg.DB.Store().Read(ctx, func(tx record.Tx) error {
		e.tx = tx
		return e.collect(ctx)
	})
	if err == nil {
		err = e.save(dir)
	}
	return e.out, during(ctx, "project "+e.project.Name, err)
}

// begin reads the project that the folder is, or starts one.
func (e *exporter) begin(ctx context.Context, dir, name string) error {
	e.project = &Project{Name: name, Dir: dir}
	e.out = &Exported{Project: name, Files: []string{}}
	if _, err := os.Stat(filepath.Join(dir, File)); err != nil {
		if name == "" {
			return fault.New(fault.Invalid, "%s is no project yet, and has no name", dir).WithHint("--name NAME")
		}
		e.files[File] = head(name)
		for name, text := range e.Schemas() {
			e.files[path.Join(schemaFolder, name)] = text
		}
		return nil
	}
	p, err := e.Read(dir)
	if err != nil {
		return err
	}
	if name != "" && name != p.Name {
		return fault.New(fault.Conflict, "%s is the project %s", dir, p.Name).WithHint("leave --name away, or give another folder")
	}
	plan, err := e.Plan(ctx, p)
	if err != nil {
		return err
	}
	differ := map[string]bool{}
	for _, c := range plan.Changes {
		root, _, _ := strings.Cut(c.Name, "/")
		differ[c.Kind+"\x00"+root], differ[c.Kind+"\x00"+c.Name] = true, true
	}
	for _, it := range p.Items {
		e.stems[it.Stem] = true
		if it.Parent == nil && !differ[it.Kind.Name+"\x00"+it.Name] {
			e.same[it.Table.Name+"\x00"+it.Name] = true
		}
	}
	for _, t := range p.Tables {
		e.same[record.ObjectTable+"\x00"+t.Name] = !differ[tableKind+"\x00"+t.Name]
	}
	e.project, e.out.Project = p, p.Name
	return nil
}

func head(name string) []byte { return fmt.Appendf(nil, "name: %s\n", name) }

func (e *exporter) collect(ctx context.Context) error {
	owners := map[string]string{}
	owned, err := selectAll(ctx, e.tx, e.cfg.DB.Catalog().Table(OwnedTable), "", "")
	if err != nil {
		return err
	}
	for _, o := range owned {
		owners[o.Get("record").Text] = o.Get("project").Text
	}
	for _, kind := range e.present() {
		records, err := selectAll(ctx, e.tx, e.cfg.DB.Catalog().Table(kind.Table), "", "")
		if err != nil {
			return err
		}
		for _, r := range records {
			owner := owners[r.ID()]
			if owner != "" && owner != e.project.Name || owner == "" && r.Get(record.SysUpdatedBy).Text == product {
				continue
			}
			if err := e.record(ctx, kind, r); err != nil {
				return fault.During(kind.Name+" "+r.Get(kind.Key).Text, err)
			}
		}
	}
	return e.tables(ctx)
}

func (e *exporter) record(ctx context.Context, kind *Kind, r *record.Record) error {
	name := r.Get(kind.Key).Text
	if e.same[r.Table.Name+"\x00"+name] {
		e.out.Left++
		return nil
	}
	stem := e.stem(kind, r.Table.Name, name)
	doc, err := e.document(ctx, &kind.Shape, r, stem, stem)
	if err != nil {
		return err
	}
	e.out.Records++
	if _, script := e.files[stem+".js"]; kind.Alone && script && len(doc) == 1 && name == path.Base(stem) {
		return nil
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "it cannot be written as YAML")
	}
	e.files[stem+".yaml"] = append(modeline(kind), text...)
	return nil
}

// plainName is a name that a file can have as it is.
var plainName = regexp.MustCompile(`^\w[\w.-]*$`)

var unplain = regexp.MustCompile(`[^a-z0-9_.]+`)

// stem gives a record its file, the one that it has already or one that nobody has.
func (e *exporter) stem(kind *Kind, table, name string) string {
	if it := e.project.item(table, name); it != nil {
		return it.Stem
	}
	if !plainName.MatchString(name) {
		name = strings.Trim(unplain.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	}
	stem := path.Join(kind.Folder, name)
	for n := 2; e.stems[stem] || name == ""; n++ {
		name = name + "-" + strconv.Itoa(n)
		stem = path.Join(kind.Folder, name)
	}
	e.stems[stem] = true
	return stem
}

// document writes a record and its parts as properties. Scripts of more than a line go to files whose names begin with
// stem; the main one to the file beside.
func (e *exporter) document(ctx context.Context, s *Shape, r *record.Record, stem, scripts string) (yaml.MapSlice, error) {
	doc := yaml.MapSlice{}
	for _, p := range s.Properties(r.Table) {
		value := r.Get(p.Field.Name)
		main := p.Field.Name == s.Script && scripts == stem
		if value.Same(preset(p.Field)) && p.Field.Name != s.Key {
			continue
		}
		if main && value.Valid {
			e.files[stem+".js"] = []byte(value.Text + "\n")
			continue
		}
		written, err := e.written(ctx, p, value, scripts)
		if err != nil {
			return nil, err
		}
		doc = append(doc, yaml.MapItem{Key: p.Name, Value: written})
	}
	for _, flags := range s.Flags {
		var words []string
		for _, w := range flags.Words {
			if r.Get(w.Field).Text == "true" {
				words = append(words, w.Text)
			}
		}
		if len(words) > 0 {
			doc = append(doc, yaml.MapItem{Key: flags.Property, Value: words})
		}
	}
	for i := range s.Parts {
		parts, err := e.parts(ctx, &s.Parts[i], r, stem, scripts)
		if err != nil {
			return nil, err
		}
		if parts != nil {
			doc = append(doc, yaml.MapItem{Key: s.Parts[i].Property, Value: parts})
		}
	}
	return doc, nil
}

// parts writes the parts of a record, nil when it has none.
func (e *exporter) parts(ctx context.Context, p *Part, parent *record.Record, stem, scripts string) (any, error) {
	records, err := selectAll(ctx, e.tx, e.cfg.DB.Catalog().Table(p.Table), p.Parent, parent.ID())
	if err != nil || len(records) == 0 {
		return nil, err
	}
	list, byKey := []yaml.MapSlice{}, yaml.MapSlice{}
	for i, r := range records {
		title := strconv.Itoa(i + 1)
		if p.Key != "" {
			title = r.Get(p.Key).Text
		} else if when := r.Get("when").Text; when != "" {
			title = when + title
		}
		doc, err := e.document(ctx, p.shape(), r, stem, scripts+"."+title)
		if err != nil {
			return nil, err
		}
		if p.Key == "" {
			list = append(list, doc)
			continue
		}
		byKey = append(byKey, yaml.MapItem{Key: title, Value: short(p, doc[1:])})
	}
	if p.Key == "" {
		return list, nil
	}
	return byKey, nil
}

// short writes the value alone where it says everything.
func short(p *Part, doc yaml.MapSlice) any {
	switch {
	case len(doc) == 0:
		return nil
	case p.Short != "" && len(doc) == 1 && doc[0].Key == p.shape().property(p.Short):
		return doc[0].Value
	}
	return doc
}

// written is a value as a file says it.
func (e *exporter) written(ctx context.Context, p Property, value record.Value, scripts string) (any, error) {
	switch f := p.Field; {
	case f.Type == record.Secret && value.Valid:
		return "${secret:" + secretName(scripts) + "." + p.Name + "}", nil
	case !value.Valid:
		return nil, nil
	case f.Type == record.Boolean:
		return value.Text == "true", nil
	case f.Type.Stored() == record.Integer:
		n, err := strconv.ParseInt(value.Text, 10, 64)
		return n, err
	case f.Reference != "" && (f.Type == record.Reference || f.Type == record.List):
		return e.named(ctx, f, value)
	case isScript(f) && strings.Contains(value.Text, "\n"):
		name := scripts + "." + p.Name + ".js"
		e.files[name] = []byte(value.Text + "\n")
		return path.Base(name), nil
	}
	return value.Text, nil
}

func secretName(stem string) string {
	name := strings.Trim(unplain.ReplaceAllString(strings.ToLower(path.Base(stem)), "-"), "-._")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return "s" + name
	}
	return name
}

// named writes references by name; what is gone, or not told apart by its name, by its id.
func (e *exporter) named(ctx context.Context, f *record.Field, value record.Value) (any, error) {
	t := e.cfg.DB.Catalog().Table(f.Reference)
	var names []string
	for _, id := range strings.Split(value.Text, ",") {
		name := id
		if t != nil {
			found, err := selectAll(ctx, e.tx, t, record.SysID, id)
			if err != nil {
				return nil, err
			}
			if len(found) == 1 {
				key := keyOf(e.kinds, t)
				twins, err := selectAll(ctx, e.tx, t, key, found[0].Get(key).Text)
				if err != nil {
					return nil, err
				}
				if len(twins) == 1 {
					name = found[0].Get(key).Text
				}
			}
		}
		names = append(names, name)
	}
	if f.Type == record.List {
		return names, nil
	}
	return names[0], nil
}

// tables writes the tables that users made, and the fields that they gave to others.
func (e *exporter) tables(ctx context.Context) error {
	c := e.cfg.DB.Catalog()
	made := map[string]bool{} // "table" and "table.field" of users
	for _, dictionary := range []string{record.ObjectTable, record.DictionaryTable} {
		records, err := selectAll(ctx, e.tx, c.Table(dictionary), "", "")
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Get(record.SysCreatedBy).Text != product {
				made[strings.Trim(r.Get("name").Text+"."+r.Get("element").Text, ".")] = true
			}
		}
	}
	for _, declared := range c.Declared() {
		full := c.Table(declared.Name)
		t := record.Table{Name: declared.Name}
		if made[t.Name] && !e.isProduct(t.Name) {
			t.Label, t.Extends, t.Extendable, t.Indexes = declared.Label, declared.Extends, declared.Extendable, declared.Indexes
		}
		for _, f := range declared.Fields {
			if made[t.Name+"."+f.Name] && !record.IsSystemField(f.Name) && !e.hasProductField(t.Name, f.Name) {
				t.Fields = append(t.Fields, f)
			}
		}
		if full.Bare || len(t.Fields) == 0 && t.Label == "" {
			continue
		}
		if err := e.table(&t); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) isProduct(name string) bool {
	return slices.ContainsFunc(e.cfg.DB.Product(), func(t record.Table) bool { return t.Name == name })
}

func (e *exporter) hasProductField(table, field string) bool {
	return slices.ContainsFunc(e.cfg.DB.Product(), func(t record.Table) bool { return t.Name == table && t.Field(field) != nil })
}

func (e *exporter) table(t *record.Table) error {
	if e.same[record.ObjectTable+"\x00"+t.Name] {
		e.out.Left++
		return nil
	}
	text, err := yaml.Marshal(t)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "table %s cannot be written as YAML", t.Name)
	}
	name := path.Join(tablesFolder, t.Name+".yaml")
	for _, f := range e.project.Tables {
		if f.Name == t.Name {
			name = f.File
		}
	}
	e.files[name] = text
	e.out.Records++
	return nil
}

// save writes the files whose content is new.
func (e *exporter) save(dir string) error {
	names := make([]string, 0, len(e.files))
	for name := range e.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		written, err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), e.files[name])
		if err != nil {
			return err
		}
		if written {
			e.out.Files = append(e.out.Files, name)
		}
	}
	return nil
}

// writeFile writes a file, unless it says so already.
func writeFile(name string, text []byte) (bool, error) {
	if have, err := os.ReadFile(name); err == nil && string(have) == string(text) {
		return false, nil
	}
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, text, 0o644)
	}
	if err != nil {
		return false, fault.Wrap(fault.Unavailable, err, "%s cannot be written", name)
	}
	return true, nil
}
