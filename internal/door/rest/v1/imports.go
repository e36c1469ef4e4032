package v1

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// sourceParams say how a file is read.
func sourceParams() []record.Field {
	return []record.Field{
		oneOf(param("format", record.String, "The format; else it is found from the content."), "csv", "json", "xml", "xlsx"),
		param("options", record.JSON, `Options of the format, as an object of texts: {"delimiter": ";"}.`),
		param("name", record.String, "What the source is called, in the place of the file's name."),
		param("source", record.String, "The name of a saved data source, or a public http(s) address, in the place of a file: the server fetches it."),
	}
}

// mapParams say how columns become fields.
func mapParams() []record.Field {
	return []record.Field{
		param("into", record.String, "The target table."),
		param("coalesce", record.String, "Columns or fields that make the key by which records are found, with commas."),
		param("map", record.String, "Transform maps as YAML, or the name of maps that an earlier run used."),
		param("create", record.Boolean, "Make the table from the data when it is not there."),
		oneOf(param("on_duplicate", record.String, "What becomes of rows whose key an earlier row of the source has; skip when nothing is said."), "skip", "apply", "reject"),
		oneOf(param("mode", record.String, "safe, or strict: the platform's behaviour to the letter."), "safe", "strict"),
	}
}

func waitParam() record.Field {
	return param("wait", record.Boolean, "Answer when the run has ended, not when it began.")
}

func (a *API) sourceOperations() []*operation {
	inspect := append(sourceParams(), param("into", record.String, "The table that it is meant for: does the key match there, and how often?"),
		param("key", record.String, "A proposed key: columns of the source or fields of the target, with commas."))
	imports := append(append(sourceParams(), mapParams()...), waitParam(), param("restart", record.Boolean, "Begin anew even when an unfinished run could be resumed."))
	return []*operation{
		{id: "inspect", method: "POST", path: "/inspections", summary: "Look at a file before it goes anywhere", roles: importers, upload: true, params: inspect,
			doc:     "Reads the file from end to end and writes nothing: dialect, columns, types, and whether a key is one.",
			answers: []outcome{{status: 200, doc: "What the file holds.", schema: surveySchema()}}, do: a.inspect},
		{id: "import", method: "POST", path: "/imports", summary: "Bring a file into a table", roles: importers, upload: true, params: imports,
			doc: "Every row is kept in staging, mapped and accounted for. The same import of the same bytes resumes its unfinished run. " +
				"The answer comes when the run has begun; with wait=true when it has ended.",
			answers: runAnswers(), do: a.importFile},
	}
}

func runAnswers() []outcome {
	return []outcome{{status: 200, doc: "The run has ended.", schema: runSchema()}, {status: 202, doc: "The run has begun; Location is where it can be followed.", schema: runSchema()}}
}

// source opens the uploaded file of a call.
func (c *call) source() (importset.Source, error) {
	options, err := c.options()
	if err != nil {
		return importset.Source{}, err
	}
	if c.text("source") != "" {
		return c.remote(options)
	}
	if name := c.text("name"); name != "" {
		c.file.name = safeName(name)
	}
	return c.file.source(c.Context(), c.text("format"), options, c.api.Formats)
}

func (a *API) inspect(c *call) (*reply, error) {
	src, err := c.source()
	if err != nil {
		return nil, err
	}
	req := importset.SurveyRequest{Key: c.list("key")}
	if into := c.text("into"); into != "" {
		if err := c.mayFill(into); err != nil {
			return nil, err
		}
		if req.Into, err = a.DB.Table(into); err != nil {
			return nil, err
		}
	}
	survey, err := a.Imports.Survey(c.Context(), src, req)
	return &reply{body: survey}, err
}

// mayFill refuses tables of the product, users and rights among them, to callers who are no administrators: an import
// writes with full rights.
func (c *call) mayFill(tables ...string) error {
	for _, t := range tables {
		if c.api.DB.Own(t) && !c.who.HasRole(admins...) {
			return fault.New(fault.Denied, "%s may not import into %s", c.who.UserName, t).WithHint("tables of the product want the role admin")
		}
	}
	return nil
}

func targets(defs []transform.Def) []string {
	var out []string
	for _, d := range defs {
		out = append(out, d.TargetTable)
	}
	return out
}

// actor is on whose behalf imports write: with full rights, and the caller's name in the change rows.
func (c *call) actor() record.Actor {
	actor := c.who.Actor
	actor.Trusted = true
	return actor
}

// mapping settles how the columns of a source become fields.
func (c *call) mapping(src *importset.Source) (*importset.Mapping, error) {
	if c.opened != nil && c.opened.Saved != "" && c.text("into") == "" && c.text("map") == "" {
		if c.opened.Fault != nil {
			return nil, c.opened.Fault
		}
		return &importset.Mapping{Maps: c.opened.Maps, Absent: c.opened.Absent}, c.mayFill(targets(c.opened.Maps)...)
	}
	choice := importset.Choice{Into: c.text("into"), MapsFrom: "the map", Create: c.flag("create"), Coalesce: c.list("coalesce"),
		OnDuplicate: c.text("on_duplicate"), Mode: c.text("mode")}
	var err error
	if choice.Maps, err = c.maps(c.text("map")); err != nil {
		return nil, err
	}
	out, err := c.api.Imports.Choose(c.Context(), src, choice, nil)
	if err != nil {
		return nil, err
	}
	if err := c.mayFill(targets(out.Maps)...); err != nil {
		return nil, err
	}
	if out.Made != nil && !c.who.HasRole(importers...) {
		return nil, fault.New(fault.Denied, "%s may not make tables", c.who.UserName)
	}
	return out, nil
}

// maps reads maps as YAML, or finds those of an earlier run by name; "" gives none.
func (c *call) maps(given string) ([]transform.Def, error) {
	if given == "" {
		return nil, nil
	}
	if strings.ContainsAny(given, ":\n") {
		defs, err := transform.Parse("map", []byte(given))
		if err == nil && slices.ContainsFunc(defs, func(d transform.Def) bool { return d.HasScripts() }) && !c.who.HasRole(admins...) {
			return nil, fault.New(fault.Denied, "%s may not bring maps with scripts", c.who.UserName).WithHint("scripts may do everything, so they want the role admin")
		}
		return defs, err
	}
	return c.api.Imports.MapsNamed(c.Context(), given)
}

func (a *API) importFile(c *call) (*reply, error) {
	src, err := c.source()
	if err != nil {
		return nil, err
	}
	chosen, err := c.mapping(&src)
	if err != nil {
		return nil, err
	}
	if chosen.Made != nil {
		if _, err := a.DB.Define(c.Context(), c.actor(), false, *chosen.Made); err != nil {
			return nil, err
		}
	}
	file, actor, restart := c.file, c.actor(), c.flag("restart")
	if c.opened != nil {
		file = nil // nothing was sent
	}
	notes := newNotes(chosen.Notes)
	return c.start(notes, file, func(ctx context.Context, began func(*importset.Run)) (*importset.Run, error) {
		return a.Imports.Import(ctx, importset.Request{Source: src, Maps: chosen.Maps, Absent: chosen.Absent, Restart: restart, Actor: actor, Notes: notes.add, Began: began})
	})
}

// slotWait is how long a call waits for its turn when as many imports run as may.
const slotWait = 10 * time.Second

// start begins an import in the background and answers when it began, or has ended. file is what it reads, or nil: it is
// kept until the run is done, and longer when the run halts.
func (c *call) start(n *notes, file *upload, do importset.Work) (*reply, error) {
	ctx, cancel := context.WithTimeout(c.Context(), slotWait)
	defer cancel()
	kept, opened := make(chan struct{}), c.opened
	c.opened = nil // it is the import's now
	job, err := c.api.Work.Start(ctx, func(ctx context.Context, began func(*importset.Run)) (*importset.Run, error) {
		run, err := do(ctx, func(r *importset.Run) {
			c.api.keep(ctx, file, r.Number)
			began(r)
			close(kept)
		})
		if file != nil && !(file.kept && resumable(run)) {
			file.remove()
		}
		if opened != nil {
			_ = opened.Close() // what it left is swept up
		}
		return run, err
	})
	if err != nil {
		c.opened = opened
		return nil, err
	}
	c.file = nil // it is the import's now
	if !c.flag("wait") {
		select {
		case <-job.Began():
			<-kept
			return c.begun(job.Number(), n)
		case <-job.Done():
		}
	}
	return c.ended(job, n)
}

// keep gives an upload to its run. When that fails the import goes on, and cannot be resumed by its number.
func (a *API) keep(ctx context.Context, file *upload, run int64) {
	if file == nil {
		return
	}
	if err := file.keep(a.spool.ofRun(run)); err != nil {
		a.Log.WarnContext(ctx, "an upload is not kept", "run", run, "error", err)
	}
}

func resumable(run *importset.Run) bool {
	return run != nil && (run.State == importset.Halted || run.State == importset.Cancelled)
}

func (c *call) begun(number int64, n *notes) (*reply, error) {
	run, err := c.api.Imports.Run(c.Context(), number)
	if err != nil {
		return nil, err
	}
	body := RunOf(run, nil)
	body.Notes = n.all()
	return &reply{status: http.StatusAccepted, header: located("%s/runs/%d", Prefix, number), body: body}, nil
}

// ended waits for the end of a run. A caller who leaves does not end it.
func (c *call) ended(job *importset.Job, n *notes) (*reply, error) {
	select {
	case <-job.Done():
	case <-c.Context().Done():
		return nil, c.Context().Err()
	}
	run, err := job.Result()
	if err != nil {
		if run != nil {
			err = &runError{run.Number, fault.During(fmt.Sprintf("run %d", run.Number), err)}
		}
		return nil, err
	}
	out, err := c.api.run(c.Context(), run.Number)
	if err != nil {
		return nil, err
	}
	out.Notes = n.all()
	return &reply{header: located("%s/runs/%d", Prefix, run.Number), body: out}, nil
}

// toItsEnd does what a caller who leaves must not end half-way. A server that stops does: what is left is done when it
// is asked for again.
func (c *call) toItsEnd(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.Context(), slotWait)
	defer cancel()
	job, err := c.api.Work.Start(ctx, func(ctx context.Context, _ func(*importset.Run)) (*importset.Run, error) { return nil, do(ctx) })
	if err != nil {
		return err
	}
	select {
	case <-job.Done():
	case <-c.Context().Done():
		return c.Context().Err()
	}
	if _, err = job.Result(); fault.KindOf(err) == fault.Canceled {
		return fault.Wrap(fault.Unavailable, err, "the server is stopping; a part is done").WithHint("ask again: that does the rest")
	}
	return err
}

func located(format string, args ...any) http.Header {
	return http.Header{"Location": {fmt.Sprintf(format, args...)}}
}
