package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

// Run is a run as programs see it.
type Run struct {
	Run    int64  `json:"run"`
	State  string `json:"state"`
	Source string `json:"source"`
	Target string `json:"target"`
	Format string `json:"format"`
	importset.Ledger
	Seconds float64                 `json:"seconds"`
	Started string                  `json:"started"`
	Resumed int64                   `json:"resumed_at_row,omitempty"`
	Message string                  `json:"message,omitempty"`
	Maps    []importset.MapRun      `json:"maps,omitempty"`
	Undo    *importset.UndoReport   `json:"undo,omitempty"`
	Reasons []*importset.Group      `json:"reasons,omitempty"`
	Notes   []string                `json:"notes,omitempty"`
	Absent  *importset.AbsentReport `json:"absent,omitempty"`
}

// RunOf is a run with the reasons of its skipped and rejected rows.
func RunOf(run *importset.Run, groups []*importset.Group) Run {
	r := Run{Run: run.Number, State: string(run.State), Source: run.Source, Target: run.Target, Format: run.Format, Ledger: run.Ledger,
		Seconds: run.Took.Seconds(), Started: stamp(run.Started), Resumed: run.Resumed, Message: run.Message, Undo: run.Undone, Reasons: groups, Absent: run.Absent}
	if len(run.Maps) > 1 {
		r.Maps = run.Maps
	}
	return r
}

// Page is one page of a list. Next is the cursor of the page after it, "" on the last.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Row is one row of a run as staging keeps it.
type Row struct {
	Row    int64             `json:"row"`
	Line   int64             `json:"line"`
	Fate   string            `json:"fate"`
	Reason string            `json:"reason,omitempty"`
	Reject any               `json:"reject,omitempty"`
	Target string            `json:"target,omitempty"`
	Values map[string]string `json:"values"`
}

func pageParams() []record.Field {
	return []record.Field{param("limit", record.Integer, "The most items of a page, 1 to %d; %d when nothing is said.", mostItems, someItems),
		param("cursor", record.String, "Where the page begins: the next of the page before.")}
}

const (
	someItems = 100
	mostItems = 1000
)

func (c *call) limit() (int, error) {
	n := c.number("limit", someItems)
	if n < 1 || n > mostItems {
		return 0, fault.New(fault.Invalid, "parameter limit is not between 1 and %d", mostItems)
	}
	return int(n), nil
}

// cursor reads the cursor of a list that is paged by a number.
func (c *call) cursor() (int64, error) {
	given := c.text("cursor")
	if given == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(given, 36, 64)
	if err != nil || n < 0 {
		return 0, fault.New(fault.Invalid, "parameter cursor is not one that a page gave")
	}
	return n, nil
}

func cursorAt(n int64) string { return strconv.FormatInt(n, 36) }

func runParam() record.Field { return needed(param("run", record.Integer, "The number of the run.")) }

func (a *API) runOperations() []*operation {
	one := []record.Field{runParam()}
	rows := append([]record.Field{runParam(), param("fate", record.String, "Only rows of these fates, with commas: inserted, updated, unchanged, skipped, rejected.")}, pageParams()...)
	return []*operation{
		{id: "listRuns", method: "GET", path: "/runs", summary: "The runs, newest first", roles: importers, params: pageParams(),
			answers: []outcome{{status: 200, doc: "One page.", schema: pageOf("RunPage", runSchema())}}, do: a.listRuns},
		{id: "getRun", method: "GET", path: "/runs/{run}", summary: "One run: its equation, and why rows were skipped or rejected", roles: importers, params: one,
			answers: []outcome{{status: 200, doc: "The run.", schema: runSchema()}}, do: a.getRun},
		{id: "listRows", method: "GET", path: "/runs/{run}/rows", summary: "The rows of a run: what they held and what became of them", roles: importers, params: rows,
			answers: []outcome{{status: 200, doc: "One page.", schema: pageOf("RowPage", rowSchema())}}, do: a.listRows},
		{id: "downloadRows", method: "GET", path: "/runs/{run}/file", summary: "The rows of a run as they came, as a file of the source's format", roles: importers,
			params: rows[:2], doc: "To mend and import again. The trailer X-Headrace-Rows tells at the end how many rows there are.",
			answers: []outcome{{status: 200, doc: "The file.", media: "application/octet-stream"}}, do: a.downloadRows},
		{id: "listReasons", method: "GET", path: "/runs/{run}/reasons", summary: "The skipped and rejected rows, grouped by cause", roles: importers, params: one,
			answers: []outcome{{status: 200, doc: "The groups, the largest first.", schema: fields("Reasons").with(must("items", listOf(groupSchema())))}}, do: a.listReasons},
		{id: "followRun", method: "GET", path: "/runs/{run}/events", summary: "Live progress as server-sent events", roles: importers, params: one,
			doc:     "Each event `run` carries the run as JSON when it has changed; the event `end` carries it when it has ended, and closes the stream.",
			answers: []outcome{{status: 200, doc: "Events.", media: "text/event-stream"}}, do: a.follow},
		{id: "undoRun", method: "POST", path: "/runs/{run}/undo", summary: "Take a run back", roles: importers, params: one, optional: true,
			doc:     "What it inserted is removed, what it changed gets its old values; records that somebody changed since are left as they are, and listed.",
			body:    fields("UndoRequest", param("dry_run", record.Boolean, "Say what would happen, change nothing.")),
			answers: []outcome{{status: 200, doc: "What was done.", schema: undoSchema()}}, do: a.undo},
		{id: "absentOfRun", method: "POST", path: "/runs/{run}/absent", summary: "Deal with the records that the source of a run does not hold", roles: importers, params: one, optional: true,
			doc:     "Goes on where that was cut off, or, with allow, does what the limits of the data source refused.",
			body:    fields("AbsentRequest", param("allow", record.Boolean, "Whatever the limits say, this once."), param("dry_run", record.Boolean, "Say what would happen, change nothing.")),
			answers: []outcome{{status: 200, doc: "What became of them.", schema: absentSchema()}}, do: a.absent},
		{id: "retryRun", method: "POST", path: "/runs/{run}/retry", summary: "Take the rejected rows through the maps again, or through mended ones", roles: importers,
			params: one, optional: true, body: fields("RetryRequest", param("map", record.String, "Mended maps as YAML, or the name of maps of an earlier run.")),
			answers: []outcome{{status: 200, doc: "The run as it is now.", schema: runSchema()}}, do: a.retry},
		{id: "resumeRun", method: "POST", path: "/runs/{run}/resume", summary: "Go on with a run that was halted or cancelled", roles: importers,
			params: append(one, waitParam()), answers: runAnswers(), do: a.resume},
		{id: "cancelRun", method: "POST", path: "/runs/{run}/cancel", summary: "Stop a run after the batch in hand; it can be resumed", roles: importers, params: one,
			answers: []outcome{{status: 200, doc: "The run.", schema: runSchema()}}, do: a.cancel},
	}
}

func (a *API) listRuns(c *call) (*reply, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	before, err := c.cursor()
	if err != nil {
		return nil, err
	}
	runs, err := a.Imports.RunsBefore(c.Context(), before, limit+1)
	if err != nil {
		return nil, err
	}
	page := Page[Run]{Items: []Run{}}
	for i, run := range runs {
		if i == limit {
			page.Next = cursorAt(runs[i-1].Number)
			break
		}
		page.Items = append(page.Items, RunOf(run, nil))
	}
	return &reply{body: page}, nil
}

// run reads a run with its reasons.
func (a *API) run(ctx context.Context, number int64) (Run, error) {
	run, err := a.Imports.Run(ctx, number)
	if err != nil {
		return Run{}, err
	}
	groups, err := a.Imports.Reasons(ctx, number)
	return RunOf(run, groups), err
}

func (a *API) getRun(c *call) (*reply, error) {
	run, err := a.run(c.Context(), c.number("run", 0))
	return &reply{body: run}, err
}

func (a *API) listReasons(c *call) (*reply, error) {
	run, err := a.run(c.Context(), c.number("run", 0))
	if run.Reasons == nil {
		run.Reasons = []*importset.Group{}
	}
	return &reply{body: map[string]any{"items": run.Reasons}}, err
}

func (a *API) listRows(c *call) (*reply, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	from, err := c.cursor()
	if err != nil {
		return nil, err
	}
	fates, err := fatesOf(c.list("fate"))
	if err != nil {
		return nil, err
	}
	run, err := a.Imports.Run(c.Context(), c.number("run", 0))
	if err != nil {
		return nil, err
	}
	page := Page[Row]{Items: []Row{}}
	for row, err := range a.Imports.RowsFrom(c.Context(), run.Number, from, fates...) {
		if err != nil {
			return nil, err
		}
		if len(page.Items) == limit {
			page.Next = cursorAt(row.Row)
			break
		}
		page.Items = append(page.Items, rowOf(run, row))
	}
	return &reply{body: page}, nil
}

// rowsHeader is the trailer that tells how many rows a download held.
const rowsHeader = "X-Headrace-Rows"

// downloadRows writes rows of a run as a file.
func (a *API) downloadRows(c *call) (*reply, error) {
	fates, err := fatesOf(c.list("fate"))
	if err != nil {
		return nil, err
	}
	write, err := a.Imports.RowWriter(c.Context(), c.number("run", 0), a.Formats, fates...)
	if err != nil {
		return nil, err
	}
	return &reply{stream: func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("Trailer", rowsHeader)
		w.WriteHeader(http.StatusOK)
		rows, err := write(c.Context(), w)
		if err != nil { // the status is gone: the missing trailer tells
			a.Log.WarnContext(c.Context(), "a download broke off", "error", err)
			return nil
		}
		h.Set(rowsHeader, strconv.FormatInt(rows, 10))
		return nil
	}}, nil
}

func fatesOf(names []string) ([]importset.Fate, error) {
	var out []importset.Fate
	for _, name := range names {
		f, ok := importset.ParseFate(name)
		if !ok {
			return nil, fault.New(fault.Invalid, "there is no fate %q", record.Clip(name)).WithHint("the fates are inserted, updated, unchanged, skipped, rejected")
		}
		out = append(out, f)
	}
	return out, nil
}

func rowOf(run *importset.Run, row *importset.StagedRow) Row {
	out := Row{Row: row.Row, Line: row.Line, Fate: row.Fate.String(), Target: row.Target, Values: map[string]string{}}
	if row.Reject != nil {
		out.Reason, out.Reject = row.Reject.Code, row.Reject
	}
	for i, v := range row.Cells[:min(len(row.Cells), len(run.Columns))] {
		if v.Valid {
			out.Values[run.Columns[i]] = v.Text
		}
	}
	return out
}

// mayTouch refuses runs into tables of the product to callers who are no administrators.
func (c *call) mayTouch(number int64) error {
	run, err := c.api.Imports.Run(c.Context(), number)
	if err != nil {
		return err
	}
	tables := []string{run.Target}
	for _, m := range run.Maps {
		tables = append(tables, m.Target)
	}
	return c.mayFill(tables...)
}

func (a *API) undo(c *call) (*reply, error) {
	number := c.number("run", 0)
	if err := c.mayTouch(number); err != nil {
		return nil, err
	}
	dry, _ := c.body["dry_run"].(bool)
	report, actor := (*importset.UndoReport)(nil), c.actor()
	err := c.toItsEnd(func(ctx context.Context) (err error) {
		report, err = a.Imports.Undo(ctx, importset.UndoRequest{Run: number, DryRun: dry, Actor: actor})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &reply{body: Undone{report, dry}}, nil
}

func (a *API) absent(c *call) (*reply, error) {
	number := c.number("run", 0)
	if err := c.mayTouch(number); err != nil {
		return nil, err
	}
	req := importset.AbsentRequest{Run: number, Allow: c.body["allow"] == true, DryRun: c.body["dry_run"] == true, Actor: c.actor()}
	var report *importset.AbsentReport
	err := c.toItsEnd(func(ctx context.Context) (err error) {
		report, err = a.Imports.ResumeAbsent(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &reply{body: report}, nil
}

// Undone is what an undo did, or would do.
type Undone struct {
	*importset.UndoReport
	DryRun bool `json:"dry_run"`
}

func (a *API) retry(c *call) (*reply, error) {
	number := c.number("run", 0)
	if err := c.mayTouch(number); err != nil {
		return nil, err
	}
	given, _ := c.body["map"].(string)
	defs, err := c.maps(given)
	if err != nil {
		return nil, err
	}
	if err := c.mayFill(targets(defs)...); err != nil {
		return nil, err
	}
	actor := c.actor()
	err = c.toItsEnd(func(ctx context.Context) error {
		_, err := a.Imports.Retry(ctx, importset.RetryRequest{Run: number, Maps: defs, Actor: actor})
		return err
	})
	if err != nil {
		return nil, err
	}
	run, err := a.run(c.Context(), number)
	return &reply{body: run}, err
}

func (a *API) cancel(c *call) (*reply, error) {
	run, err := a.Imports.Cancel(c.Context(), c.number("run", 0))
	if err != nil {
		return nil, err
	}
	return &reply{body: RunOf(run, nil)}, nil
}

// resume goes on with a run from the upload that was kept for it, or from its plan.
func (a *API) resume(c *call) (*reply, error) {
	number := c.number("run", 0)
	if err := c.mayTouch(number); err != nil {
		return nil, err
	}
	run, err := a.Imports.Run(c.Context(), number)
	if err != nil {
		return nil, err
	}
	if !resumable(run) {
		return nil, fault.New(fault.Refused, "run %d is %s", number, run.State).WithHint("only runs that were halted or cancelled go on")
	}
	stored, err := a.Imports.Stored(c.Context(), number)
	if err != nil {
		return nil, err
	}
	actor := c.actor()
	if stored.Plan != "" {
		return c.start(nil, nil, func(ctx context.Context, began func(*importset.Run)) (*importset.Run, error) {
			return a.Imports.Apply(ctx, importset.ApplyRequest{Path: stored.Plan, Actor: actor, Began: began})
		})
	}
	file, err := a.spool.kept(number, stored.Source)
	if err != nil {
		return nil, err
	}
	src, err := file.source(c.Context(), stored.Format, stored.Options, a.Formats)
	if err != nil {
		return nil, err
	}
	return c.start(nil, file, func(ctx context.Context, began func(*importset.Run)) (*importset.Run, error) {
		return a.Imports.Import(ctx, importset.Request{Source: src, Maps: stored.Maps, Actor: actor, Began: began})
	})
}

// kept finds the upload of a run that did not end.
func (s *spool) kept(run int64, name string) (*upload, error) {
	path := s.ofRun(run)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap(fault.Refused, err, "the source of run %d is not kept on this server", run).
			WithHint("send %s again with the same parameters: that resumes the run", name)
	}
	return &upload{name: name, path: path, size: info.Size(), kept: true}, nil
}

// event writes one server-sent event.
func event(id int, name string, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the event cannot be written")
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, name, text), nil
}
