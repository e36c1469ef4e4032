// Package project is configuration as files: a folder of YAML and JavaScript on one side, records on the other. Records
// stay what configuration is; a folder is one way to write them, and can be written from them.
//
//	p, err := service.Read(dir)        // what the files say; p.Findings lists every mistake with its place
//	plan, err := service.Plan(ctx, p)  // what would change, field by field; empty after Apply
//	plan, err = service.Apply(ctx, p)  // all of it in one transaction, or nothing
package project

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// OwnedTable tells which records come from which project: what a project no longer has is removed, what others made is
// left alone.
const OwnedTable = "sys_project_record"

// Tables lists the tables of this package, for the composition root.
func Tables() []record.Table {
	return []record.Table{{Name: OwnedTable, Label: "Project record", Fields: []record.Field{
		{Name: "project", Label: "Project", Type: record.String, Mandatory: true},
		{Name: "table_name", Label: "Table", Type: record.String, Mandatory: true},
		{Name: "record", Label: "Record", Type: record.Document, Mandatory: true},
		{Name: "name", Label: "Name", Type: record.String, Display: true},
	}, Indexes: []record.Index{{Fields: []string{"project"}}, {Fields: []string{"record"}, Unique: true}}}}
}

// Config is what a Service needs.
type Config struct {
	DB *record.DB
	// Check tells whether a script is one: an error says where it is not. An expression is a condition. nil: not looked at.
	Check func(name, text string, expression bool) error
	// Open gives the plain text of a sealed secret, to see whether it is the one that a project refers to.
	Open func(sealed string) (string, error)
	// Editor is further files that a new project gets, by path: declarations of what scripts may call.
	Editor map[string][]byte
	// Getenv finds the secrets that files refer to; nil is os.LookupEnv.
	Getenv func(name string) (string, bool)
}

// Service reads folders, compares them with records and writes either from the other.
type Service struct {
	cfg   Config
	kinds []Kind
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.Getenv == nil {
		cfg.Getenv = os.LookupEnv
	}
	return &Service{cfg: cfg, kinds: Kinds()}
}

// present gives the kinds whose tables, and those of whose parts, the server has.
func (s *Service) present() []*Kind {
	var out []*Kind
	for i := range s.kinds {
		if k := &s.kinds[i]; hasTables(s.cfg.DB.Catalog(), &k.Shape) {
			out = append(out, k)
		}
	}
	return out
}

func hasTables(c *record.Catalog, s *Shape) bool {
	return c.Table(s.Table) != nil && !slices.ContainsFunc(s.Parts, func(p Part) bool { return !hasTables(c, &p.Shape) })
}

// Finding is something that is wrong, or likely to be, and where. Warnings stand in nobody's way.
type Finding struct {
	Place   string `json:"place"` // file:line:column, as far as known
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Warning bool   `json:"warning"`
}

// String is the finding on one line.
func (f Finding) String() string {
	text := f.Message
	if f.Place != "" {
		text = f.Place + ": " + text
	}
	if f.Hint != "" {
		text += " -> " + f.Hint
	}
	return text
}

// Project is what a folder says.
type Project struct {
	Name        string
	Description string
	Dir         string
	Items       []*Item // each before the parts that belong to it
	Tables      []TableFile
	Findings    []Finding
}

// Err is the first mistake as an error; nil when there are none but warnings.
func (p *Project) Err() error { return firstMistake(p.Findings) }

func firstMistake(findings []Finding) error {
	mistakes := slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Warning })
	if len(mistakes) == 0 {
		return nil
	}
	first := mistakes[0]
	f := fault.New(fault.Invalid, "%s", Finding{Place: first.Place, Message: first.Message}.String())
	if more := len(mistakes) - 1; more > 0 {
		return f.WithHint("%s; %d more: headrace project lint DIR", cmp.Or(first.Hint, "mend it"), more)
	}
	if first.Hint == "" {
		return f
	}
	return f.WithHint("%s", first.Hint)
}

// Count is how many tables and records the project describes, parts not counted.
func (p *Project) Count() int {
	n := len(p.Tables)
	for _, it := range p.Items {
		if it.Parent == nil {
			n++
		}
	}
	return n
}

// item finds what the project says of a record of a table by its key.
func (p *Project) item(table, name string) *Item {
	for _, it := range p.Items {
		if it.Parent == nil && (it.Table.Name == table || it.Table.Extends == table) && it.Name == name {
			return it
		}
	}
	return nil
}

// names lists the records of a table that the project has, for hints.
func (p *Project) names(table string) []string {
	var out []string
	for _, it := range p.Items {
		if it.Parent == nil && it.Table.Name == table {
			out = append(out, it.Name)
		}
	}
	return out
}

// catalog is the server's catalog with the tables of the project.
func (s *Service) catalog(p *Project) (*record.Catalog, error) {
	tables := make([]record.Table, len(p.Tables))
	for i := range p.Tables {
		tables[i] = p.Tables[i].Table
	}
	return s.cfg.DB.Catalog().With(tables...)
}

// secret finds the value that a reference stands for.
func (s *Service) secret(reference string) (value string, found bool, err error) {
	name := variableOf(reference)
	if value, found = s.cfg.Getenv(name); found {
		return value, true, nil
	}
	if file, is := s.cfg.Getenv(name + "_FILE"); is {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", false, fault.Wrap(fault.Unavailable, err, "secret %s: %s cannot be read", reference, file)
		}
		return trimNewline(string(text)), true, nil
	}
	return "", false, nil
}

// session writes what projects say, as the system: who may do that is decided by who may run the verb.
func (s *Service) session() record.Session { return s.cfg.DB.As(record.System) }

func during(ctx context.Context, op string, err error) error {
	if err != nil && ctx.Err() != nil {
		return fault.Wrap(fault.Canceled, err, "%s", op)
	}
	return fault.During(op, err)
}

func quoted(text string) string { return fmt.Sprintf("%q", record.Clip(text)) }
