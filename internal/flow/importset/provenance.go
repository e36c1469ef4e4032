package importset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// Origin is one thing that happened to a record: who did it, and for imports which run and line of the source.
type Origin struct {
	Run       int64             `json:"run,omitempty"`
	Source    string            `json:"source,omitempty"`
	Row       int64             `json:"row"`
	Line      int64             `json:"line,omitempty"`
	Operation string            `json:"operation"`
	At        time.Time         `json:"at"`
	Actor     string            `json:"actor"`
	Fields    map[string]string `json:"old,omitempty"` // old values of the fields it changed
}

// Provenance tells where a record and its fields come from, oldest first: its change rows, and the staging rows that
// inserted or updated it.
func (s *Service) Provenance(ctx context.Context, t *record.Table, id string) ([]Origin, error) {
	deeds, err := s.changeRows(ctx, &record.Query{Where: &query.Term{Field: "record", Op: query.Equal, Values: []string{id}}})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(deeds, func(a, b deed) int { return map[bool]int{true: -1, false: 1}[a.sequence < b.sequence] })
	var out []Origin
	if r, err := s.db.As(record.System).Get(ctx, t, id); err == nil && !(len(deeds) > 0 && deeds[0].op == string(record.Inserted)) {
		origin, err := s.insertion(ctx, r)
		if err != nil {
			return nil, err
		}
		out = append(out, origin)
	}
	for _, d := range deeds {
		o := Origin{Run: d.run, Operation: d.op, Actor: d.actor, Fields: map[string]string{}}
		o.At, _ = time.Parse(record.DateTimeLayout, d.at)
		for field, v := range d.old {
			o.Fields[field] = v.Text
		}
		if err := s.locate(ctx, &o, id); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// insertion finds the run that inserted a record, among those that were running when it was created.
func (s *Service) insertion(ctx context.Context, r *record.Record) (Origin, error) {
	o := Origin{Operation: string(record.Inserted), Actor: r.Get(record.SysCreatedBy).Text}
	created := r.Get(record.SysCreatedOn).Text
	o.At, _ = time.Parse(record.DateTimeLayout, created)
	sets, err := s.sets(ctx, &query.Term{Field: "started", Op: query.LessEqual, Values: []string{created}})
	if err != nil {
		return o, err
	}
	for _, set := range slices.Backward(sets) {
		if end := set.Get("completed").Text; end != "" && end < created {
			continue
		}
		probe := o
		probe.Run = whole(set, "run")
		if err := s.locate(ctx, &probe, r.ID()); err != nil || probe.Line > 0 {
			return probe, err
		}
	}
	return o, nil
}

// locate finds the staging row of a run that wrote a record.
func (s *Service) locate(ctx context.Context, o *Origin, id string) error {
	if o.Run == 0 {
		return nil
	}
	run, err := s.Run(ctx, o.Run)
	if err != nil {
		return err
	}
	o.Source = run.Source
	bound := func(op query.Op, run int64) query.Node {
		return &query.Term{Field: "id", Op: op, Values: []string{strconv.FormatInt(rowID(run, 0), 10)}}
	}
	q := &record.Query{Table: s.db.Catalog().Table(RowTable), Fields: []string{"id", "line"}, Limit: 1,
		Where: &query.And{Parts: []query.Node{bound(query.GreaterEqual, o.Run), bound(query.Less, o.Run+1),
			&query.Term{Field: "target", Op: query.Equal, Values: []string{id}},
			&query.Term{Field: "state", Op: query.In, Values: fatesOf(o.Operation)}}}}
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(row[0].Text, 10, 64)
		if err != nil {
			return err
		}
		o.Row = n & MaxRows
		if o.Line, err = strconv.ParseInt(row[1].Text, 10, 64); err != nil {
			return err
		}
	}
	return nil
}

// fatesOf is what the staging row of an operation says: an insert is found by inserting rows only, because the run that
// updated the record may have begun within the same second.
func fatesOf(operation string) []string {
	if operation == string(record.Inserted) {
		return []string{Inserted.String()}
	}
	return []string{Inserted.String(), Updated.String()}
}

// Checksum is a hash over the content of all records of a table, in the order of their ids: every field but those that
// only say when and how often a record was updated.
func (s *Service) Checksum(ctx context.Context, t *record.Table) (string, error) {
	names := slices.DeleteFunc(t.Names(), func(n string) bool {
		return n == record.SysUpdatedOn || n == record.SysUpdatedBy || n == record.SysModCount
	})
	h := sha256.New()
	var line []byte
	q := &record.Query{Table: t, Fields: names, OrderBy: []query.Order{{Field: record.SysID}}}
	for row, err := range s.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return "", err
		}
		line = append(appendPayload(line[:0], row), '\n')
		if _, err := h.Write(line); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
