package datasource

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// saved is a saved source, compiled from its record.
type saved struct {
	*address
	record        *record.Record
	id, name      string
	staging       string
	format        string
	formatOptions format.Options
	lines         format.Format // of gathered rows
	since         string        // where the next reading of rows begins; "" reads all
	quiet         time.Duration
	parts         bool // several files are there, so that none is known to be the whole set
}

// get gives the text of a field of the record.
func (d *saved) get(field string) string { return d.record.Get(field).Text }

// find reads the record of a saved source: a fault of kind NotFound, with the nearest name as a hint, when there is none.
func (s *Service) find(ctx context.Context, name string) (*record.Record, error) {
	all, err := s.records(ctx, &query.Term{Field: "name", Op: query.Equal, Values: []string{name}})
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		return all[0], nil
	}
	known, err := s.records(ctx, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range known {
		names = append(names, r.Get("name").Text)
	}
	missing := fault.New(fault.NotFound, "there is no data source %q", record.Clip(name))
	switch near := record.Nearest(name, names); {
	case near != "":
		return nil, missing.WithHint("did you mean %q?", near)
	case len(names) == 0:
		return nil, missing.WithHint("none is saved: make a record of %s, or give a path or a URL", SourceTable)
	}
	return nil, missing.WithHint("`headrace source list` shows them; a file is a path, anything else a URL")
}

// records reads the records of saved sources, by name.
func (s *Service) records(ctx context.Context, where query.Node) ([]*record.Record, error) {
	t := s.DB.Catalog().Table(SourceTable)
	return s.read(ctx, &record.Query{Table: t, Fields: t.Names(), Where: where, OrderBy: []query.Order{{Field: "name"}}})
}

// read reads whole records.
func (s *Service) read(ctx context.Context, q *record.Query) ([]*record.Record, error) {
	var out []*record.Record
	for row, err := range s.DB.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, &record.Record{Table: q.Table, Values: slices.Clone(row)})
	}
	return out, nil
}

// Names lists the saved sources.
func (s *Service) Names(ctx context.Context) ([]string, error) {
	all, err := s.records(ctx, nil)
	var names []string
	for _, r := range all {
		names = append(names, r.Get("name").Text)
	}
	return names, err
}

// compile makes a source of its record: what is wrong with the record shows here, and nothing is reached for.
func (s *Service) compile(ctx context.Context, r *record.Record) (d *saved, err error) {
	d = &saved{record: r, id: r.ID(), name: r.Get("name").Text, staging: r.Get("import_set_table_name").Text, format: formatNamed(r.Get("format").Text)}
	defer func() { err = fault.During("data source "+d.name, err) }()
	if d.formatOptions, err = d.texts("format_options"); err != nil {
		return d, err
	}
	if d.lines, err = format.Named("json", s.Formats); err != nil {
		return d, err
	}
	options, err := d.texts("options")
	if err != nil {
		return d, err
	}
	d.columnOf(options)
	if d.quiet, err = d.duration("quiet_period"); err != nil {
		return d, err
	}
	if d.get("use_last_run_datetime") == "true" {
		d.since = d.get("last_run_datetime")
	}
	d.address, err = s.parse(d.get("connection_url"))
	if err != nil {
		return d, err
	}
	s.stand(d.name, d.address)
	if key := d.get(hostKey); key != "" && options[hostKey] == "" && slices.Contains(fieldNames(d.kind.Info.Options), hostKey) {
		options[hostKey] = key
	}
	d.options, d.inside = options, true
	if err := checkOptions(options, d.kind.Info.Options, d.kind.Info.Label); err != nil {
		return d, err
	}
	if err := s.credential(ctx, d.address, d.get("credential")); err != nil {
		return d, err
	}
	return d, nil
}

// hostKey is the option of kinds whose hosts show a key, and the field that keeps one that was approved.
const hostKey = "host_key"

// columnOf gives the options of a kind that keeps a mark what the record says of it in fields of its own.
func (d *saved) columnOf(options format.Options) {
	if column := d.get("last_run_database_field"); column != "" && options["watermark"] == "" && d.get("use_last_run_datetime") == "true" {
		options["watermark"] = column
	}
	if overlap := d.get("overlap"); overlap != "" && options["overlap"] == "" {
		options["overlap"] = overlap
	}
}

// formatNamed translates the platform's names of formats.
func formatNamed(name string) string {
	switch name = strings.ToLower(strings.TrimSpace(name)); name {
	case "excel":
		return "xlsx"
	case "csv", "json", "xml", "xlsx", "":
		return name
	}
	return "" // the name of a database, on a record of the platform
}

// texts reads a field that holds an object of texts. Numbers and true and false are taken as they are written.
func (d *saved) texts(field string) (format.Options, error) {
	out := format.Options{}
	given := d.get(field)
	if given == "" {
		return out, nil
	}
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader([]byte(given)))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return nil, fault.New(fault.Invalid, "%s is no JSON object of texts", field).WithHint(`{"name": "value"}`)
	}
	for name, v := range all {
		switch v := v.(type) {
		case string:
			out[name] = v
		case json.Number, bool:
			out[name] = fmt.Sprint(v)
		case nil:
		default: // what is nested is an option's own text
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			out[name] = string(text)
		}
	}
	return out, nil
}

func (d *saved) duration(field string) (time.Duration, error) {
	given := d.get(field)
	if given == "" {
		return 0, nil
	}
	v, err := time.ParseDuration(given)
	if err != nil || v < 0 {
		return 0, fault.New(fault.Invalid, "%s: %q is no duration", field, record.Clip(given)).WithHint("such as 90s, 5m or 24h")
	}
	return v, nil
}

// checkOptions refuses options that a kind does not have.
func checkOptions(given format.Options, known []record.Field, label string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if i := slices.IndexFunc(known, func(f record.Field) bool { return f.Name == name }); i < 0 {
			return unknownOption(name, fieldNames(known), label)
		}
	}
	return given.Check(known)
}

func unknownOption(name string, known []string, label string) error {
	bad := fault.New(fault.Invalid, "%s has no option %q", label, record.Clip(name))
	if near := record.Nearest(name, known); near != "" {
		return bad.WithHint("did you mean %q?", near)
	}
	return bad.WithHint("its options: %s", cmp.Or(strings.Join(known, ", "), "none"))
}

func fieldNames(fields []record.Field) []string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].Name
	}
	return names
}
