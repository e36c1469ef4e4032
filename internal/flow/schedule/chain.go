package schedule

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// member is a run of a chain that comes after another one.
type member struct {
	Schedule string `json:"schedule"`
	Name     string `json:"name"`
	Parent   string `json:"parent"` // schedule
}

// chainOf gives what runs after a schedule, in order: each child, followed by its own children.
func (s *Service) chainOf(ctx context.Context, tx record.Tx, c *Schedule) ([]member, error) {
	var out []member
	seen := map[string]bool{c.ID: true}
	var follow func(parent string) error
	follow = func(parent string) error {
		children, err := s.children(ctx, tx, parent)
		for i := 0; i < len(children) && err == nil; i++ {
			id := children[i].ID()
			if seen[id] || len(seen) > mostDeep {
				continue
			}
			seen[id] = true
			out = append(out, member{id, children[i].Get("name").Text, parent})
			err = follow(id)
		}
		return err
	}
	return out, follow(c.ID)
}

// children lists the active schedules that run after a parent, in their order.
func (s *Service) children(ctx context.Context, tx record.Tx, parent string) ([]*record.Record, error) {
	where := &query.And{Parts: []query.Node{equal("parent", parent), equal("run_type", string(AfterParent)), equal("active", "true")}}
	found, err := all(ctx, tx, &record.Query{Table: s.table(Table), Where: where})
	slices.SortFunc(found, func(a, b *record.Record) int {
		return cmp.Or(cmp.Compare(number(a.Get("order").Text), number(b.Get("order").Text)), cmp.Compare(a.Get("name").Text, b.Get("name").Text), cmp.Compare(a.ID(), b.ID()))
	})
	return found, err
}

// advance begins the next run of a chain, in the transaction that ends the one before. Runs whose parent forbids them get
// a line that says so.
func (s *Service) advance(ctx context.Context, w *record.Writer, line *record.Record) error {
	root := line.Get("root").Text
	if root == "" {
		return nil
	}
	first, err := s.one(ctx, w.Tx(), HistoryTable, root)
	if err != nil || first == nil {
		return err
	}
	var chain []member
	if err := json.Unmarshal([]byte(first.Get("chain").Text), &chain); err != nil {
		return err
	}
	at := slices.IndexFunc(chain, func(m member) bool { return m.Schedule == line.Get("document_key").Text })
	for _, m := range chain[at+1:] {
		begun, err := s.follow(ctx, w, first, m)
		if err != nil || begun {
			return err
		}
	}
	return nil
}

// memberID is the id of a run of a chain.
func memberID(root, schedule string) string { return record.IDFrom("chained run", root+" "+schedule) }

// follow begins a run of a chain if its parent allows it.
func (s *Service) follow(ctx context.Context, w *record.Writer, root *record.Record, m member) (begun bool, err error) {
	c, err := s.schedule(ctx, w.Tx(), m.Schedule)
	if c == nil && err != nil {
		return false, err
	}
	if c == nil { // removed since the chain began
		c = &Schedule{ID: m.Schedule, Name: m.Name, Link: LinkStop}
	}
	parentID := root.ID()
	if m.Parent != root.Get("document_key").Text {
		parentID = memberID(root.ID(), m.Parent)
	}
	parent, err := s.one(ctx, w.Tx(), HistoryTable, parentID)
	if err != nil {
		return false, err
	}
	line := s.newLine(c, causeParent, memberID(root.ID(), m.Schedule))
	line["root"], line["trace"], line["due"] = root.ID(), root.Get("trace").Text, textOf(w.Now())
	why, reason := "", reasonParent
	switch {
	case c.record == nil || !c.Active:
		why = "it was removed or made inactive since the chain began"
	default:
		why, err = s.forbids(ctx, w, c, parent)
	}
	if err == nil && why == "" && c.Overlap == OverlapSkip {
		var busy *record.Record
		if busy, err = s.busy(ctx, w, c.ID); busy != nil {
			why, reason = overlapText(busy), reasonOverlap
		}
	}
	if err != nil {
		return false, err
	}
	if why != "" {
		line["message"] = why
		return false, s.writeSkipped(ctx, w, line, reason)
	}
	return true, s.enqueue(ctx, w, c, line)
}

// forbids says why a run may not follow its parent; "" when it may.
func (s *Service) forbids(ctx context.Context, w *record.Writer, c *Schedule, parent *record.Record) (string, error) {
	if parent == nil {
		return "its parent has left no line", nil
	}
	name, state := parent.Get("name").Text, State(parent.Get("state").Text)
	if state == Skipped || state == Cancelled {
		return fmt.Sprintf("%s was %s", name, state), nil
	}
	link := c.Link
	if c.Strict { // the platform has one property for all chains
		stop, err := s.value(ctx, w.Tx(), "sys_properties", "name", "glide.scheduled_import.stop_on_error", "value")
		if err != nil {
			return "", err
		}
		if link = LinkContinue; stop == "true" {
			link = LinkStop
		}
	}
	if state == Failed && link != LinkContinue {
		return name + " failed", nil
	}
	if link == LinkBelow {
		read, rejected := whole(parent, "rows_read"), whole(parent, "rows_rejected")
		if share := 100 * float64(rejected) / float64(max(read, 1)); rejected > 0 && share >= c.Percent {
			return fmt.Sprintf("%d of %d rows of %s were rejected, %.1f %% and not below %g %%", rejected, read, name, share, c.Percent), nil
		}
	}
	return "", nil
}
