package export

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

func stamp(at time.Time) string { return at.UTC().Format(record.DateTimeLayout) }

// insert adds a book-keeping record: stamped, without rules or change rows.
func (s *Service) insert(ctx context.Context, w *record.Writer, table string, values map[string]string) (*record.Record, error) {
	r := record.NewRecord(s.cfg.DB.Catalog().Table(table))
	now := w.Now().Format(record.DateTimeLayout)
	for name, v := range map[string]string{record.SysID: record.NewID(), record.SysCreatedOn: now, record.SysUpdatedOn: now, record.SysModCount: "0",
		record.SysCreatedBy: record.System.Name, record.SysUpdatedBy: record.System.Name} {
		r.Set(name, record.Text(v))
	}
	for name, v := range values {
		r.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	return r, w.Tx().Insert(ctx, r.Table, &record.Rows{Fields: r.Table.Names(), Values: r.Values})
}

// errMoot says that somebody else has taken a run further, so that what was to be written of it counts no more.
var errMoot = errors.New("the run is another")

// update changes a run if it is still as it was read.
func (j *job) update(ctx context.Context, w *record.Writer, values map[string]string) error {
	rows := &record.Rows{Fields: []string{record.SysID, record.SysModCount}, Values: []record.Value{j.Get(record.SysID), j.Get(record.SysModCount)},
		Shared: []record.Assignment{{Field: record.SysUpdatedOn, Value: record.Text(stamp(w.Now()))}}}
	for name, v := range values {
		rows.Fields = append(rows.Fields, name)
		rows.Values = append(rows.Values, record.Value{Text: v, Valid: v != ""})
	}
	stale, err := w.Tx().Update(ctx, j.Table, rows)
	if err == nil && len(stale) > 0 {
		err = fault.Wrap(fault.Conflict, errMoot, "export run %s was changed by somebody else meanwhile", j.ID())
	}
	return err
}

// set changes a run in a transaction of its own, with what else belongs to the change. What has happened is written down
// whether or not whoever asked for it still waits.
func (s *Service) set(ctx context.Context, j *job, values map[string]string, more ...func(context.Context, *record.Writer) error) error {
	ctx = context.WithoutCancel(ctx)
	err := s.cfg.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		for _, do := range more {
			if err := do(ctx, w); err != nil {
				return err
			}
		}
		if err := j.update(ctx, w, values); err != nil {
			return err
		}
		return s.tell(ctx, w, j, values)
	})
	if err != nil {
		return err
	}
	for name, v := range values {
		j.Set(name, record.Value{Text: v, Valid: v != ""})
	}
	j.Set(record.SysModCount, record.Text(strconv.FormatInt(j.number(record.SysModCount)+1, 10)))
	return nil
}

// begin makes the record of a new run. Two who begin at once draw the same number, and the second is refused.
func (s *Service) begin(ctx context.Context, def *set, req Request) (*job, error) {
	j := &job{def: def}
	err := s.cfg.DB.As(record.System).Write(ctx, func(w *record.Writer) error {
		last, err := s.last(ctx, w.Tx(), "sequence", equal("export_set", def.ID()))
		if err != nil {
			return err
		}
		number, _ := strconv.Atoi(last) // none is 0
		as := def.text("run_as")
		if as == "" && !req.Actor.Trusted {
			as = req.Actor.ID
		}
		values := map[string]string{"export_set": def.ID(), "run_as": as, "request_key": req.Key, "name": def.name, "sequence": strconv.Itoa(number + 1), "state": string(Making), "asked_by": cmp.Or(req.Actor.Name, record.System.Name),
			"attempts": "0", "counted": "0", "node": s.node, "unclear": "false", "named": "false", "bytes_kept": "false", "incremental": strconv.FormatBool(def.is("incremental"))}
		if def.is("incremental") && !req.Full {
			if values["since"], err = s.last(ctx, w.Tx(), "high", both(equal("export_set", def.ID()), equal("state", string(Done)))); err != nil {
				return err
			}
		}
		j.Record, err = s.insert(ctx, w, RunTable, values)
		return err
	})
	if err != nil && fault.KindOf(err) == fault.Conflict {
		err = def.busy("another machine began a run of it at this moment")
	}
	return j, err
}

// last gives the highest value of a field of runs; "" when there is none.
func (s *Service) last(ctx context.Context, tx record.Tx, field string, where query.Node) (string, error) {
	q := &record.Query{Table: s.cfg.DB.Catalog().Table(RunTable), Fields: []string{field}, Limit: 1, OrderBy: []query.Order{{Field: field, Desc: true}},
		Where: both(where, &query.Term{Field: field, Op: query.IsNotEmpty})}
	for row, err := range tx.Select(ctx, q) {
		if err != nil {
			return "", err
		}
		return row[0].Text, nil
	}
	return "", nil
}
