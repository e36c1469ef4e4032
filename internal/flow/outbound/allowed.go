package outbound

import (
	"context"
	"strings"
	"sync"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
)

// AllowedProperty is the system property that lists the hosts, host:port pairs and networks which calls may reach on a
// private network although their host comes from data: separated by commas.
const AllowedProperty = "headrace.outbound.allowed_hosts"

// allowed reads AllowedProperty, at most once a second.
type allowed struct {
	db   *record.DB
	mu   sync.Mutex
	at   time.Time
	kept []string
}

// list gives the hosts that are allowed. When they cannot be read, there are none.
func (a *allowed) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := time.Now(); a.at.IsZero() || now.Sub(a.at) > limitsFor {
		a.at, a.kept = now, a.load()
	}
	return a.kept
}

func (a *allowed) load() []string {
	const within = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	t := a.db.Catalog().Table("sys_properties")
	if t == nil {
		return nil
	}
	var out []string
	q := &record.Query{Table: t, Fields: []string{"value"}, Where: &query.Term{Field: "name", Op: query.Equal, Values: []string{AllowedProperty}}}
	for row, err := range a.db.As(record.System).Select(ctx, q) {
		if err != nil {
			return nil
		}
		for _, entry := range strings.Split(row[0].Text, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				out = append(out, entry)
			}
		}
	}
	return out
}
