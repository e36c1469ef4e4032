package attachment

import (
	"context"
	"errors"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	kept "headrace/internal/flow/attachment"
)

// keptFor is how long files stay that nobody can see: those whose upload broke off with its server, and those of records
// that were deleted. Until then a record that is brought back has its files again.
const keptFor = 24 * time.Hour

// Sweep removes files that nobody can see any more. It looks at all of them, a page at a time.
func Sweep(ctx context.Context, db *record.DB) error {
	files := db.Catalog().Table(Table)
	if files == nil {
		return nil
	}
	after := ""
	for {
		q := &record.Query{Table: files, Fields: []string{record.SysID, "table_name", "table_sys_id", "state", record.SysCreatedOn},
			OrderBy: []query.Order{{Field: record.SysID}}, Limit: page}
		if after != "" {
			q.Where = &query.Term{Field: record.SysID, Op: query.Greater, Values: []string{after}}
		}
		var found []file
		for row, err := range db.As(record.System).Select(ctx, q) {
			if err != nil {
				return err
			}
			found = append(found, file{row[0].Text, row[1].Text, row[2].Text, row[3].Text, row[4].Text})
		}
		if len(found) == 0 {
			return nil
		}
		after = found[len(found)-1].id
		if err := sweepPage(ctx, db, found); err != nil {
			return err
		}
	}
}

// file is what tells whether a file can go.
type file struct{ id, table, record, state, made string }

func sweepPage(ctx context.Context, db *record.DB, found []file) error {
	limit := db.Now().Add(-keptFor).Format(record.DateTimeLayout)
	gone, err := deleted(ctx, db, found)
	if err != nil {
		return err
	}
	for _, f := range found {
		since, orphan := gone[f.table+"/"+f.record]
		switch {
		case f.state == kept.Pending && f.made < limit:
			err = Remove(ctx, db, record.System, f.id)
		case orphan && max(since, f.made) < limit:
			err = removeOrphan(ctx, db, f)
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// deleted tells which of the records that files are at are not there, and since when as far as that is known.
func deleted(ctx context.Context, db *record.DB, found []file) (map[string]string, error) {
	gone := map[string]string{}
	ids := map[string][]string{}
	for _, f := range found {
		if t := db.Catalog().Table(f.table); t != nil && t.Field(record.SysID) != nil {
			ids[f.table] = append(ids[f.table], f.record)
			gone[f.table+"/"+f.record] = ""
		}
	}
	for table, list := range ids {
		q := &record.Query{Table: db.Catalog().Table(table), Fields: []string{record.SysID}, Where: &query.Term{Field: record.SysID, Op: query.In, Values: list}}
		for row, err := range db.As(record.System).Select(ctx, q) {
			if err != nil {
				return nil, err
			}
			delete(gone, table+"/"+row[0].Text)
		}
		since := &record.Query{Table: db.Catalog().Table(record.ChangeTable), Fields: []string{"record", "at"}, Where: &query.And{Parts: []query.Node{
			&query.Term{Field: "record", Op: query.In, Values: list}, equal("operation", string(record.Deleted))}}}
		for row, err := range db.As(record.System).Select(ctx, since) {
			if err != nil {
				return nil, err
			}
			if at, orphan := gone[table+"/"+row[0].Text]; orphan {
				gone[table+"/"+row[0].Text] = max(at, row[1].Text)
			}
		}
	}
	return gone, nil
}

var errBack = errors.New("the record is back")

// removeOrphan removes a file unless its record has come back.
func removeOrphan(ctx context.Context, db *record.DB, f file) error {
	err := db.As(record.System).Write(ctx, func(w *record.Writer) error {
		q := &record.Query{Table: db.Catalog().Table(f.table), Fields: []string{record.SysID}, Where: equal(record.SysID, f.record)}
		for _, err := range w.Tx().Select(ctx, q) {
			return errors.Join(err, errBack)
		}
		return kept.Remove(ctx, db, w, f.id)
	})
	if errors.Is(err, errBack) {
		return nil
	}
	return err
}

// Remove deletes a file and its pieces in one transaction.
func Remove(ctx context.Context, db *record.DB, actor record.Actor, id string) error {
	return db.As(actor).Trusted().Write(ctx, func(w *record.Writer) error { return kept.Remove(ctx, db, w, id) })
}
