package importset

import (
	"context"
	"fmt"

	"headrace/internal/core/record"
	"headrace/internal/flow/transform"
)

// changed is the cause of the fault that a source is not the one its unfinished run began with. The fault says how.
type changed struct{}

// Error makes changed an error.
func (changed) Error() string { return "" }

// supersedes reports whether a new run may take the place of one that cannot go on: its records are found again, so that
// none comes twice.
func (s *Source) supersedes(maps []transform.Def) bool {
	if s.Live == nil && !s.Supersede {
		return false
	}
	for _, d := range maps {
		key := false
		for _, f := range d.Fields {
			key = key || f.Coalesce
		}
		if !key {
			return false
		}
	}
	return true
}

// anew cancels a run whose source has changed since it began, and imports the source as it is now.
func (s *Service) anew(ctx context.Context, req Request, old *Run) (*Run, error) {
	if err := s.supersede(ctx, old, "the source has changed since it began, and is imported anew"); err != nil {
		return old, err
	}
	began := req.Began
	req.Restart = true
	var failed error
	req.Began = func(r *Run) {
		failed = s.supersede(ctx, old, fmt.Sprintf("superseded by run %d: the source has changed since it began", r.Number))
		if began != nil {
			began(r)
		}
	}
	im := &importer{Service: s, req: req}
	run, err := im.run(ctx)
	return run, firstOf(err, failed)
}

// supersede marks a run as cancelled, and says why.
func (s *Service) supersede(ctx context.Context, old *Run, message string) error {
	set, err := s.Run(ctx, old.Number)
	if err != nil {
		return err
	}
	return s.db.As(record.System).Write(ctx, func(w *record.Writer) error {
		values := []record.Assignment{{Field: "state", Value: record.Text(string(Cancelled))}, {Field: "message", Value: record.Text(message)}}
		return updateBook(ctx, w.Tx(), set.record, values)
	})
}
