package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/event"
)

func (c *console) eventCommand() *cobra.Command {
	return group("event", "Events: what was fired, who handled it, what failed", c.eventFireCommand(), c.eventListCommand(), c.eventShowCommand(), c.eventReplayCommand())
}

func (c *console) eventFireCommand() *cobra.Command {
	var e event.Event
	var about, at string
	cmd := &cobra.Command{Use: "fire NAME", Short: "Fire an event; a server handles it", Args: exactly("NAME"),
		Example: "  headrace event fire order.changed --record u_order:SO-0001 --parm1 urgent"}
	f := cmd.Flags()
	f.StringVar(&about, "record", "", "what it is about: `TABLE:ID`, or what is displayed of the record in the place of its id")
	f.StringVar(&e.Parm1, "parm1", "", "the first parameter")
	f.StringVar(&e.Parm2, "parm2", "", "the second parameter")
	f.StringVar(&e.Queue, "queue", "", "the queue; without it that of the registration")
	f.StringVar(&e.Key, "key", "", "events of one `KEY` are handled in order in queues that are sequential per key; without it that is the record")
	f.StringVar(&at, "at", "", "not before this `TIME`, as 2026-01-31T08:00:00Z")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) (err error) {
		e.Name = args[0]
		if at != "" {
			if e.At, err = time.Parse(time.RFC3339, at); err != nil {
				return fault.New(fault.Invalid, "--at %q is no time", at).WithHint("write it like 2026-01-31T08:00:00Z")
			}
		}
		if about != "" {
			if e.Record, err = traced(ctx, a, about); err != nil {
				return err
			}
		}
		return c.fire(ctx, a, e)
	})
	return cmd
}

func (c *console) fire(ctx context.Context, a *app.App, e event.Event) error {
	var id string
	err := a.DB.As(record.System).Write(ctx, func(w *record.Writer) (err error) {
		id, err = a.Events.Fire(ctx, w, e)
		return err
	})
	if err != nil {
		return err
	}
	return c.showEvent(ctx, a, id)
}

var eventHeader = []string{"event", "name", "state", "table", "instance", "parm1", "parm2", "queue", "process_on", "handlers", "note"}

func eventRow(e *record.Record) []string {
	row := []string{e.ID()}
	for _, name := range eventHeader[1:] {
		row = append(row, e.Get(name).Text)
	}
	return row
}

// recordView is a record for json and yaml: fields that hold JSON as what they hold.
func recordView(r *record.Record) map[string]any {
	out := map[string]any{}
	for i := range r.Table.Fields {
		f, v := &r.Table.Fields[i], r.Values[i]
		switch {
		case !v.Valid:
			out[f.Name] = nil
		case f.Type == record.JSON && json.Valid([]byte(v.Text)):
			out[f.Name] = json.RawMessage(v.Text)
		default:
			out[f.Name] = v.Text
		}
	}
	return out
}

func (c *console) eventListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Events, the newest first", Args: exactly(), Example: "  headrace event list --query state=error"}
	where := cmd.Flags().String("query", "", "those that match an encoded `QUERY` of "+event.Table)
	limit := cmd.Flags().Int("limit", 100, "at most `N`; 0 is all")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		found, err := listEvents(ctx, a, *where, *limit)
		if err != nil {
			return err
		}
		out, values := answer{header: eventHeader}, []any{}
		for _, e := range found {
			out.rows = append(out.rows, eventRow(e))
			values = append(values, recordView(e))
		}
		out.value = values
		return c.show(out)
	})
	return cmd
}

func listEvents(ctx context.Context, a *app.App, where string, limit int) ([]*record.Record, error) {
	_, q, err := parseQuery(a, event.Table, where)
	if err != nil {
		return nil, err
	}
	return a.Events.List(ctx, q.Where, limit)
}

func (c *console) eventShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show EVENT", Short: "One event with its handler runs and every attempt", Args: exactly("EVENT")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error { return c.showEvent(ctx, a, args[0]) })
	return cmd
}

func (c *console) showEvent(ctx context.Context, a *app.App, id string) error {
	e, runs, err := a.Events.Show(ctx, id)
	if err != nil {
		return err
	}
	value := recordView(e)
	views := []any{}
	for _, r := range runs {
		views = append(views, recordView(r))
	}
	value["runs"] = views
	return c.show(answer{value: value, header: eventHeader, rows: [][]string{eventRow(e)}, text: eventText(e, runs)})
}

func eventText(e *record.Record, runs []*record.Record) string {
	var b strings.Builder
	line := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, oneLine(value, 400))
		}
	}
	get := func(name string) string { return e.Get(name).Text }
	fmt.Fprintf(&b, "  %s  %s\n", e.ID(), oneLine(get("name"), widest))
	line("state", get("state"))
	line("about", get("table")+" "+get("instance"))
	line("parm1", get("parm1"))
	line("parm2", get("parm2"))
	line("queue", get("queue"))
	line("fired", get(record.SysCreatedOn)+" by "+get("user_name"))
	line("trace", get("trace"))
	line("note", get("note"))
	for _, r := range runs {
		line("handler", fmt.Sprintf("%s %s: %s after %s attempts  %s", r.Get("kind").Text, r.Get("name").Text, r.Get("state").Text, r.Get("attempts").Text, r.Get("error").Text))
		if r.Get("state").Text == event.Retry {
			line("  next", r.Get("next_try").Text)
		}
	}
	return b.String()
}

func (c *console) eventReplayCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "replay [EVENT...]", Short: "Have the failed handlers of events run again, with the keys they had", Args: cobra.ArbitraryArgs,
		Example: "  headrace event replay --query 'state=error^name=order.changed' --dry-run"}
	where := cmd.Flags().String("query", "", "events that match an encoded `QUERY` of "+event.Table)
	all := cmd.Flags().Bool("all", false, "also the handlers that have succeeded")
	dry := cmd.Flags().Bool("dry-run", false, "only say which")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		ids, err := replayed(ctx, a, args, *where)
		if err != nil {
			return err
		}
		return c.replayEvents(ctx, a, ids, *all, *dry)
	})
	return cmd
}

// replayed lists the events that are meant.
func replayed(ctx context.Context, a *app.App, args []string, where string) ([]string, error) {
	if (len(args) > 0) == (where != "") {
		return nil, fault.New(fault.Invalid, "name events, or give --query").WithHint("--query state=error finds all that failed")
	}
	if where == "" {
		return args, nil
	}
	found, err := listEvents(ctx, a, where, 0)
	ids := make([]string, len(found))
	for i, e := range found {
		ids[len(found)-1-i] = e.ID() // the oldest first
	}
	return ids, err
}

// replayEvents replays each event in a transaction of its own.
func (c *console) replayEvents(ctx context.Context, a *app.App, ids []string, all, dry bool) error {
	out, values := answer{header: []string{"event", "runs"}}, []any{}
	for _, id := range ids {
		n, err := c.replayOne(ctx, a, id, all, dry)
		if err != nil {
			return err
		}
		out.rows = append(out.rows, []string{id, fmt.Sprint(n)})
		values = append(values, map[string]any{"event": id, "runs": n})
	}
	out.value = values
	return c.show(out)
}

func (c *console) replayOne(ctx context.Context, a *app.App, id string, all, dry bool) (n int, err error) {
	if dry {
		_, runs, err := a.Events.Show(ctx, id)
		for _, r := range runs {
			if state := r.Get("state").Text; all || state == event.Dead || state == event.Retry {
				n++
			}
		}
		return n, err
	}
	err = a.DB.As(record.System).Write(ctx, func(w *record.Writer) (err error) {
		n, err = a.Events.Replay(ctx, w, id, all)
		return err
	})
	return n, err
}
