package event

import (
	"context"

	"headrace/internal/core/record"
)

// book is what was read of registrations and queues.
type book struct {
	events map[string]registration
	orders map[string]string
}

type registration struct{ queue, priority string }

const revisionName = "events"

func (b *book) registered(name string) (registration, bool) {
	if b == nil {
		return registration{}, false
	}
	r, ok := b.events[name]
	return r, ok
}

func (b *book) order(queueName string) string {
	if b == nil || b.orders[queueName] == "" {
		return Parallel
	}
	return b.orders[queueName]
}

// Sees makes Service a record.Hook: on its own tables.
func (s *Service) Sees(t *record.Table) bool {
	return t.Name == Table || t.Name == RegisterTable || t.Name == QueueTable
}

// Keeps makes Service a record.Keeper: an event without its handler runs would be lost.
func (s *Service) Keeps() {}

// Before makes a sysevent record that is inserted like any other an event.
func (s *Service) Before(ctx context.Context, c *record.Change) error {
	if c.Operation != record.Inserted || c.New.Table.Name != Table {
		return nil
	}
	return s.plan(ctx, c.Writer, c.New)
}

// After notes that the configuration of events has changed.
func (s *Service) After(ctx context.Context, c *record.Change) error {
	r := c.New
	if r == nil {
		r = c.Old
	}
	if r.Table.Name == Table {
		return nil
	}
	return s.book.Touch(ctx, c.Writer, revisionName)
}

// Refresh makes Service a record.Refresher.
func (s *Service) Refresh(ctx context.Context, tx record.Tx) error {
	if s.db == nil {
		return nil
	}
	return s.book.Refresh(ctx, s.db, tx, revisionName, s.load)
}

func (s *Service) load(ctx context.Context, tx record.Tx) (*book, error) {
	b := &book{events: map[string]registration{}, orders: map[string]string{}}
	for row, err := range tx.Select(ctx, &record.Query{Table: s.table(RegisterTable), Fields: []string{"event_name", "queue", "priority"}}) {
		if err != nil {
			return nil, err
		}
		b.events[row[0].Text] = registration{queue: row[1].Text, priority: row[2].Text}
	}
	for row, err := range tx.Select(ctx, &record.Query{Table: s.table(QueueTable), Fields: []string{"queue", "processing_order"}}) {
		if err != nil {
			return nil, err
		}
		b.orders[row[0].Text] = row[1].Text
	}
	return b, nil
}
