package event

import (
	"context"
	"encoding/json"

	"headrace/internal/core/record"
)

// Snapshot is what a change was, for handlers that run when the record has gone on.
type Snapshot struct {
	Operation record.Operation  `json:"operation"`
	Changes   map[string]Change `json:"changes,omitempty"`
}

// Change is the value of a field before and after; a null is the empty text.
type Change struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Of takes the snapshot of a change: the fields that differ, but for those of the system and secrets.
func Of(c *record.Change) *Snapshot {
	s := &Snapshot{Operation: c.Operation, Changes: map[string]Change{}}
	r := c.New
	if r == nil {
		r = c.Old
	}
	for i := range r.Table.Fields {
		f := &r.Table.Fields[i]
		var old, now record.Value
		if c.Old != nil {
			old = c.Old.Get(f.Name)
		}
		if c.New != nil {
			now = c.New.Values[i]
		}
		if old.Same(now) || f.Type == record.Secret || c.Operation == record.Updated && record.IsSystemField(f.Name) {
			continue
		}
		s.Changes[f.Name] = Change{Old: old.Text, New: now.Text}
	}
	return s
}

func (s *Snapshot) text() string {
	if s == nil {
		return ""
	}
	out, err := json.Marshal(s)
	if err != nil { // texts always marshal
		panic(err)
	}
	return string(out)
}

// Watch holds the change that rules are running for, so that events which they fire carry its snapshot.
type Watch struct{ Change *record.Change }

type watchKey struct{}

// Watching gives a context with w in it.
func Watching(ctx context.Context, w *Watch) context.Context {
	return context.WithValue(ctx, watchKey{}, w)
}

func snapshotOf(ctx context.Context, id string) *Snapshot {
	w, ok := ctx.Value(watchKey{}).(*Watch)
	if !ok || w.Change == nil {
		return nil
	}
	r := w.Change.New
	if r == nil {
		r = w.Change.Old
	}
	if r.ID() != id {
		return nil
	}
	return Of(w.Change)
}

type runKey struct{}

// Handling gives the context of what a handler run does.
func Handling(ctx context.Context, r *Run) context.Context {
	return context.WithValue(ctx, runKey{}, r)
}

// RunIn gives the handler run that ctx belongs to; nil when there is none.
func RunIn(ctx context.Context) *Run {
	r, _ := ctx.Value(runKey{}).(*Run)
	return r
}
