package importset

import (
	"context"

	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// A target that was empty when its import began holds what the import itself has put there, and those keys are known.
// Looking up each of a million keys that cannot be there takes a seventh of PostgreSQL's time. Only keys with empty parts
// are looked up all the same: they may match records that have other parts. What other imports put there meanwhile shows at
// the fence, when the block is written: it is matched again then, as one that was looked up when the import began.

// beginsEmpty reports whether the target of the only map has no records, and will hold no keys by this import but those
// of its rows: no rule, and no reference that is created, writes others.
func (im *importer) beginsEmpty(ctx context.Context) (empty bool, err error) {
	t := im.target(0)
	if im.plan != nil || len(im.req.Maps) != 1 || im.db.Hooked(t) || len(transform.Lookups(im.req.Maps[0], im.db.Catalog())) > 0 {
		return false, nil
	}
	err = im.db.Store().Read(ctx, func(tx record.Tx) error {
		for row, err := range tx.Select(ctx, &record.Query{Table: t, Fields: []string{record.SysID}, Limit: 1}) {
			empty = row == nil
			return err
		}
		empty = true
		return nil
	})
	return empty, err
}
