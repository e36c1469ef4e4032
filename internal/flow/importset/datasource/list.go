package datasource

import (
	"context"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Listed is a saved source in a list, with how it is.
type Listed struct {
	Name        string `json:"name"`
	Active      bool   `json:"active"`
	Kind        string `json:"kind"`
	At          string `json:"at"` // the address, without secrets
	Staging     string `json:"import_set_table"`
	Mark        string `json:"mark,omitempty"` // where the next reading of rows goes on
	State       string `json:"state,omitempty"`
	LastSuccess string `json:"last_success,omitempty"`
	LastAttempt string `json:"last_attempt,omitempty"`
	Message     string `json:"message,omitempty"`
}

// Shown is a saved source with all that is known of it.
type Shown struct {
	Listed
	Settings map[string]string `json:"settings"`         // fields of its record that hold something
	Files    []FileResult      `json:"files"`            // the newest last
	Alerts   []Alert           `json:"alerts,omitempty"` // that are open
}

// List gives all saved sources by name.
func (s *Service) List(ctx context.Context) ([]*Listed, error) {
	all, err := s.records(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := []*Listed{}
	for _, r := range all {
		l, err := s.listed(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func (s *Service) listed(ctx context.Context, r *record.Record) (*Listed, error) {
	get := func(field string) string { return r.Get(field).Text }
	l := &Listed{Name: get("name"), Active: get("active") == "true", Staging: get("import_set_table_name"), Mark: get("last_run_datetime"), At: s.Show(get("connection_url"))}
	if a, err := s.parse(get("connection_url")); err == nil {
		l.Kind = a.kind.Info.Name
	}
	t := s.DB.Catalog().Table(HealthTable)
	health, err := s.read(ctx, &record.Query{Table: t, Fields: t.Names(), Limit: 1, Where: &query.Term{Field: "source", Op: query.Equal, Values: []string{r.ID()}}})
	if err == nil && len(health) > 0 {
		h := func(field string) string { return health[0].Get(field).Text }
		l.State, l.LastSuccess, l.LastAttempt, l.Message = h("state"), h("last_success"), h("last_attempt"), h("message")
	}
	return l, err
}

// mostFiles is how many files of a source are shown.
const mostFiles = 50

// Describe gives one saved source with all that is known of it.
func (s *Service) Describe(ctx context.Context, name string) (*Shown, error) {
	r, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	l, err := s.listed(ctx, r)
	if err != nil {
		return nil, err
	}
	out := &Shown{Listed: *l, Settings: map[string]string{}, Files: []FileResult{}}
	for i, f := range r.Table.Fields {
		if v := r.Values[i]; !v.Empty() && !record.IsSystemField(f.Name) && f.Type != record.Secret {
			out.Settings[f.Name] = v.Text
		}
	}
	out.Settings["connection_url"] = l.At
	if out.Alerts, err = s.Alerts(ctx, r.ID()); err != nil {
		return nil, err
	}
	known, err := s.deliveries(ctx, r.ID())
	known = slices.DeleteFunc(known, func(d *delivery) bool { return d.Path == rowsPath })
	for _, d := range known[max(0, len(known)-mostFiles):] {
		out.Files = append(out.Files, FileResult{Path: d.Path, Size: d.Size, SHA256: d.sum, State: d.state, Reason: d.reason, Run: d.run})
	}
	return out, err
}

// Of finds the saved source that a run read, by the name of the run's source; "" when it was none.
func (s *Service) Of(ctx context.Context, runSource string) (string, error) {
	name, _, _ := strings.Cut(runSource, "/")
	if name == "" || IsAddress(runSource) {
		return "", nil
	}
	_, err := s.find(ctx, name)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return "", nil
	}
	return name, err
}
