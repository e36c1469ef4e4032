package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/app/basetables"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
)

func (c *console) scheduleCommand() *cobra.Command {
	return group("schedule", "Scheduled imports, scripts and exports: when they run, and what became of them", c.scheduleListCommand(), c.scheduleShowCommand(),
		c.scheduleNextCommand(), c.scheduleRunCommand())
}

// withSchedules opens the product on a store with the base tables, which schedules refer to.
func (c *console) withSchedules(do work) func(*cobra.Command, []string) error {
	return c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		if _, err := basetables.Install(ctx, a.DB); err != nil {
			return err
		}
		return do(ctx, a, args)
	})
}

var scheduleHeader = []string{"name", "kind", "active", "runs", "zone", "next", "last", "state", "message"}

func scheduleRow(e *schedule.Entry) []string {
	row := []string{e.Name, e.Kind(), fmt.Sprint(e.Active), runs(e.Schedule), "", moment(e.Next), "", "", ""}
	if e.Timing.Zone != nil {
		row[4] = e.Timing.Zone.String()
	}
	if e.Last != nil {
		row[6], row[7], row[8] = e.Last.Get("due").Text, e.Last.Get("state").Text, cmp.Or(e.Last.Get("message").Text, e.Last.Get("reason").Text)
	}
	switch {
	case e.Bad != nil:
		row[7], row[8] = "cannot run", e.Bad.Error()
	case e.Over() && e.Last == nil:
		row[7], row[8] = "never ran", "its last time has passed: give it a later one, or make it inactive"
	}
	return row
}

// runs says in words when a schedule runs.
func runs(s *schedule.Schedule) string {
	d := &s.Timing
	clock := fmt.Sprintf(" at %s", time.Time{}.Add(d.Time).Format("15:04:05"))
	var days []string
	for i := range 7 {
		if day := time.Weekday((i + 1) % 7); d.Weekdays[day] {
			days = append(days, day.String()[:3])
		}
	}
	text := string(d.Type)
	switch d.Type {
	case schedule.Weekly:
		text += " " + strings.Join(days, ",") + clock
	case schedule.Monthly:
		text += fmt.Sprintf(" on day %d", d.Day) + clock
	case schedule.DayAndMonth:
		text = fmt.Sprintf("every %d %s", d.Day, d.Month) + clock
	case schedule.WeekInMonth:
		text = fmt.Sprintf("%s of week %d", strings.Join(days, ","), d.Week) + clock
	case schedule.DayWeekMonth:
		text = fmt.Sprintf("%s of week %d of %s", strings.Join(days, ","), d.Week, d.Month) + clock
	case schedule.Daily:
		text += clock
	case schedule.Periodically:
		text = "every " + briefly(d.Period)
	case schedule.Once:
		text += " at " + moment(d.Start)
	}
	return text
}

// briefly is a length of time without what is nothing at its end: 1h instead of 1h0m0s.
func briefly(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func scheduleView(e *schedule.Entry) map[string]any {
	row := scheduleRow(e)
	out := map[string]any{"sysId": e.ID, "table": e.Table}
	for i, name := range scheduleHeader {
		out[name] = row[i]
	}
	out["active"] = e.Active
	return out
}

func (c *console) scheduleListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Schedules: when each runs next, and how its last run ended", Args: exactly()}
	cmd.RunE = c.withSchedules(func(ctx context.Context, a *app.App, _ []string) error {
		found, err := a.Schedules.List(ctx)
		if err != nil {
			return err
		}
		out, values := answer{header: scheduleHeader}, []any{}
		for i := range found {
			out.rows = append(out.rows, scheduleRow(&found[i]))
			values = append(values, scheduleView(&found[i]))
		}
		out.value = values
		return c.show(out)
	})
	return cmd
}

var lineHeader = []string{"name", "due", "state", "cause", "reason", "started", "finished", "duration", "attempts", "run", "rows_read", "rows_rejected", "message"}

func lineRow(l *record.Record) []string {
	row := make([]string, len(lineHeader))
	for i, name := range lineHeader {
		row[i] = l.Get(name).Text
	}
	return row
}

// oneSchedule finds the schedule of a name.
func oneSchedule(ctx context.Context, a *app.App, name string) (*schedule.Entry, error) {
	found, err := a.Schedules.List(ctx, name)
	if err == nil && len(found) > 1 {
		err = fault.New(fault.Conflict, "%d schedules are called %q", len(found), name).WithHint("give all but one another name")
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

func (c *console) scheduleShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "One schedule, and the newest lines of its history", Args: exactly("NAME")}
	most := cmd.Flags().IntP("number", "n", 10, "at most `N` lines")
	cmd.RunE = c.withSchedules(func(ctx context.Context, a *app.App, args []string) error {
		e, err := oneSchedule(ctx, a, args[0])
		if err != nil {
			return err
		}
		lines, err := a.Schedules.History(ctx, e.ID, *most)
		if err != nil {
			return err
		}
		return c.showSchedule(e, lines)
	})
	return cmd
}

func (c *console) showSchedule(e *schedule.Entry, lines []*record.Record) error {
	out := answer{header: lineHeader}
	views := []any{}
	for _, l := range lines {
		out.rows = append(out.rows, lineRow(l))
		views = append(views, recordView(l))
	}
	value := scheduleView(e)
	value["history"] = views
	out.value = value
	row := scheduleRow(e)
	for i, name := range scheduleHeader[:6] {
		c.note("  %-8s %s", name, row[i])
	}
	if e.Bad != nil {
		c.tell("  %s: %v", c.paint(red, "cannot run"), e.Bad)
	}
	return c.show(out)
}

func (c *console) scheduleNextCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "next [NAME]", Short: "When schedules run next, in their own zone and in UTC; days on which clocks are changed are marked", Args: exactly("[NAME]"),
		Example: "  headrace schedule next\n  headrace schedule next nightly -n 400 --from 2026-01-01T00:00:00Z"}
	most := cmd.Flags().IntP("number", "n", 5, "`N` times of each schedule")
	zone := cmd.Flags().String("zone", "", "show times in this IANA `ZONE` instead of the schedule's own")
	from := cmd.Flags().String("from", "", "times after this `TIME`, as 2026-01-31T08:00:00Z, instead of now")
	cmd.RunE = c.withSchedules(func(ctx context.Context, a *app.App, args []string) error {
		start, shown, err := nextFlags(a, *from, *zone)
		if err != nil {
			return err
		}
		found, err := a.Schedules.List(ctx, args...)
		if err != nil {
			return err
		}
		out, values := answer{header: []string{"name", "local", "utc", "note"}}, []any{}
		for i := range found {
			for _, row := range nextRows(&found[i], start, shown, *most, len(args) > 0) {
				out.rows = append(out.rows, row)
				values = append(values, map[string]any{"name": row[0], "local": row[1], "utc": row[2], "note": row[3]})
			}
		}
		out.value = values
		return c.show(out)
	})
	return cmd
}

func nextFlags(a *app.App, from, zone string) (start time.Time, shown *time.Location, err error) {
	start = a.DB.Now()
	if from != "" {
		if start, err = time.Parse(time.RFC3339, from); err != nil {
			return start, nil, fault.New(fault.Invalid, "--from %q is no time", from).WithHint("write it like 2026-01-31T08:00:00Z")
		}
	}
	if zone != "" {
		if shown, err = time.LoadLocation(zone); err != nil {
			return start, nil, fault.New(fault.Invalid, "there is no time zone %q", zone).WithHint("give an IANA name such as Europe/Berlin")
		}
	}
	return start, shown, nil
}

// nextRows gives the next times of a schedule. One that has none is told of when it was asked for by name.
func nextRows(e *schedule.Entry, start time.Time, shown *time.Location, most int, named bool) (rows [][]string) {
	switch {
	case e.Bad != nil:
		return [][]string{{e.Name, "", "", "cannot run: " + e.Bad.Error()}}
	case !e.Active && !named:
		return nil
	}
	zone := shown
	if zone == nil {
		zone = e.Timing.Zone
	}
	for at := start; len(rows) < most; {
		if at = e.Timing.After(at); at.IsZero() {
			break
		}
		rows = append(rows, []string{e.Name, at.In(zone).Format("Mon 2006-01-02 15:04:05 MST"), moment(at), clockNote(e, at)})
	}
	if len(rows) == 0 && named {
		rows = [][]string{{e.Name, "", "", "no times: " + runs(e.Schedule)}}
	}
	return rows
}

// clockNote says what the clocks do on the day of a run.
func clockNote(e *schedule.Entry, at time.Time) string {
	var notes []string
	if by := e.Timing.Change(at); by > 0 {
		notes = append(notes, "clocks go forward "+briefly(by)+" this day")
	} else if by < 0 {
		notes = append(notes, "clocks go back "+briefly(-by)+" this day")
	}
	if !e.Active {
		notes = append(notes, "not active")
	}
	return strings.Join(notes, "; ")
}

func (c *console) scheduleRunCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "run NAME", Short: "Run a schedule now, and what follows it in its chain", Args: exactly("NAME"),
		Long: "The run is made by this process, or by a server on the same store. Its time as planned stays. It ends with exit code 1 when a run has failed."}
	cmd.RunE = c.withSchedules(func(ctx context.Context, a *app.App, args []string) error {
		e, err := oneSchedule(ctx, a, args[0])
		if err != nil {
			return err
		}
		states := map[string]string{}
		lines, err := a.RunSchedule(ctx, e.ID, func(lines []*record.Record) {
			for _, l := range lines {
				if state := l.Get("state").Text; states[l.ID()] != state {
					states[l.ID()] = state
					c.detail("  %s %s", l.Get("name").Text, state)
				}
			}
		})
		if err != nil {
			return err
		}
		out, values := answer{header: lineHeader}, []any{}
		for _, l := range lines {
			out.rows = append(out.rows, lineRow(l))
			values = append(values, recordView(l))
			if l.Get("state").Text == string(schedule.Failed) {
				c.code = exitFailed
			}
		}
		out.value = values
		return c.show(out)
	})
	return cmd
}
