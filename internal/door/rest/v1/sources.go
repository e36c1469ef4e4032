package v1

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/connect/format"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

// SourceResult is what bringing in a saved data source came to.
type SourceResult struct {
	State   string                  `json:"state"`
	Message string                  `json:"message,omitempty"`
	Mark    string                  `json:"mark,omitempty"`
	Runs    []Run                   `json:"runs"`
	Files   []datasource.FileResult `json:"files,omitempty"`
	Notes   []string                `json:"notes,omitempty"`
	Drift   []datasource.Difference `json:"drift,omitempty"`
}

// ResultOf is a result with the reasons of each run's skipped and rejected rows.
func ResultOf(r *datasource.Result, groups [][]*importset.Group) *SourceResult {
	out := &SourceResult{State: r.State, Message: r.Message, Mark: r.Mark, Files: r.Files, Drift: r.Drift, Runs: []Run{}}
	for i, run := range r.Runs {
		out.Runs = append(out.Runs, RunOf(run, groups[i]))
	}
	return out
}

// Sample is the first rows of a data source: a text or null for each column.
type Sample struct {
	Source  string      `json:"source"`
	Columns []string    `json:"columns"`
	Rows    [][]*string `json:"rows"`
	Notes   []string    `json:"notes,omitempty"`
}

// SampleRows gives the rows of a sample as texts.
func SampleRows(s *datasource.Sampled) [][]*string {
	out := [][]*string{}
	for _, row := range s.Rows {
		cells := make([]*string, len(row))
		for i, v := range row {
			if v.Valid {
				cells[i] = &v.Text
			}
		}
		out = append(out, cells)
	}
	return out
}

func (a *API) dataSourceOperations() []*operation {
	name := param("name", record.String, "The name of the data source.")
	rows := param("rows", record.Integer, "The most rows, 1 to %d; %d when nothing is said.", mostItems, someSample)
	return []*operation{
		{id: "listDataSources", method: "GET", path: "/data-sources", summary: "All saved data sources, and how they are", roles: importers,
			answers: []outcome{{status: 200, doc: "The data sources, by name.", schema: pageOf("DataSourceList", listedSchema())}}, do: a.listSources},
		{id: "createDataSource", method: "POST", path: "/data-sources", summary: "Save a data source", roles: importers,
			doc: "The fields are those of a record of sys_data_source. A credential is given by name.", body: sourceBody(),
			answers: []outcome{{status: 201, doc: "The data source as it is saved.", schema: listedSchema()}}, do: a.createSource},
		{id: "getDataSource", method: "GET", path: "/data-sources/{name}", summary: "One data source: settings, state, and what became of its files", roles: importers,
			params: []record.Field{name}, answers: []outcome{{status: 200, doc: "The data source.", schema: shownSchema()}}, do: a.getSource},
		{id: "testDataSource", method: "POST", path: "/data-sources/{name}/test", summary: "Try what a data source needs, and say what is wrong", roles: importers,
			params: []record.Field{name}, optional: true, body: fields("TestRequest", param("accept", record.Boolean, "Pin the key that the host shows at this first contact.")),
			doc:     "Nothing is written, but for an accepted key. What is wrong is the last of the steps.",
			answers: []outcome{{status: 200, doc: "What was tried, step by step.", schema: checkedSchema()}}, do: a.testSource},
		{id: "sampleDataSource", method: "GET", path: "/data-sources/{name}/sample", summary: "The first rows of a data source, as they come", roles: importers,
			params: []record.Field{name, rows}, answers: []outcome{{status: 200, doc: "The rows.", schema: sampleSchema()}}, do: a.sampleSource},
		{id: "runDataSource", method: "POST", path: "/data-sources/{name}/imports", summary: "Bring in what is new of a data source", roles: importers,
			doc:    "What is new goes through the maps of the source's staging table; the answer comes when all of it is done.",
			params: []record.Field{name}, optional: true, body: fields("SourceRunRequest", param("restart", record.Boolean, "Begin anew: import files again, resume nothing."),
				param("accept", record.Boolean, "Whatever differs from the contract is agreed on from now.")),
			answers: []outcome{{status: 200, doc: "What it came to.", schema: sourceResultSchema()}}, do: a.runSource},
	}
}

// someSample is how many rows a sample has when nothing is said.
const someSample = 20

func (a *API) listSources(c *call) (*reply, error) {
	all, err := a.Sources.List(c.Context())
	return &reply{body: Page[*datasource.Listed]{Items: all}}, err
}

func (a *API) getSource(c *call) (*reply, error) {
	shown, err := a.Sources.Describe(c.Context(), c.text("name"))
	return &reply{body: shown}, err
}

// createSource writes a record with the caller's rights.
func (a *API) createSource(c *call) (*reply, error) {
	t, err := a.DB.Table(datasource.SourceTable)
	if err != nil {
		return nil, err
	}
	var values []record.Assignment
	for name, v := range c.body {
		text, err := fieldText(name, v)
		if err != nil {
			return nil, err
		}
		values = append(values, record.Assignment{Field: name, Value: record.Text(text)})
	}
	r, err := a.DB.As(c.who.Actor).Enforced().Insert(c.Context(), t, values)
	if err != nil {
		return nil, err
	}
	shown, err := a.Sources.Describe(c.Context(), r.Get("name").Text)
	if err != nil {
		return nil, err
	}
	return &reply{status: 201, header: located("%s/data-sources/%s", Prefix, shown.Name), body: shown.Listed}, nil
}

func (a *API) testSource(c *call) (*reply, error) {
	checked, err := a.Sources.Test(c.Context(), c.text("name"))
	if err == nil && c.body["accept"] == true && checked.HostKey != "" {
		if err := a.Sources.Accept(c.Context(), c.who.Actor, c.text("name"), checked.HostKey); err != nil {
			return nil, err
		}
		checked, err = a.Sources.Test(c.Context(), c.text("name"))
	}
	return &reply{body: checked}, err
}

func (a *API) sampleSource(c *call) (*reply, error) {
	n := c.number("rows", someSample)
	if n < 1 || n > mostItems {
		return nil, fault.New(fault.Invalid, "parameter rows: 1 to %d", mostItems)
	}
	s, err := a.Sources.Sample(c.Context(), c.text("name"), int(n))
	if err != nil {
		return nil, err
	}
	return &reply{body: Sample{Source: s.Source, Columns: s.Columns, Rows: SampleRows(s), Notes: s.Notes}}, nil
}

// runSource brings in a saved source to its end. A caller who leaves does not end it.
func (a *API) runSource(c *call) (*reply, error) {
	targets, err := a.Sources.Targets(c.Context(), c.text("name"))
	if err != nil {
		return nil, err
	}
	if err := c.mayFill(targets...); err != nil {
		return nil, err
	}
	notes := newNotes(nil)
	restart, accept := c.body["restart"] == true, c.body["accept"] == true
	var result *datasource.Result
	err = c.toItsEnd(func(ctx context.Context) (err error) {
		result, err = a.Sources.Run(ctx, datasource.Request{Name: c.text("name"), Actor: c.actor(), Restart: restart, Accept: accept, Notes: notes.add})
		return err
	})
	if err != nil {
		return nil, err
	}
	groups := make([][]*importset.Group, len(result.Runs))
	for i, run := range result.Runs {
		if groups[i], err = a.Imports.Reasons(c.Context(), run.Number); err != nil {
			return nil, err
		}
	}
	out := ResultOf(result, groups)
	out.Notes = notes.all()
	return &reply{body: out}, nil
}

// remote opens the source that a call names in the place of an upload: a saved one, or a public address.
func (c *call) remote(options format.Options) (importset.Source, error) {
	ref := c.text("source")
	if !datasource.IsAddress(ref) && strings.ContainsAny(ref, `/\`) {
		return importset.Source{}, fault.New(fault.Denied, "paths of the server cannot be imported").WithHint("upload the file, or name a saved data source or an address")
	}
	opened, err := c.api.Sources.Open(c.Context(), ref, datasource.Given{Options: options, Format: c.text("format"), Outside: true})
	if err != nil {
		return importset.Source{}, err
	}
	c.opened = opened
	return opened.Source, nil
}

// options reads the options of a call, an object of texts.
func (c *call) options() (format.Options, error) {
	options := format.Options{}
	if given := c.text("options"); given != "" {
		if err := json.Unmarshal([]byte(given), &options); err != nil {
			return nil, fault.New(fault.Invalid, "parameter options is no object of texts").WithHint(`{"delimiter": ";"}`)
		}
	}
	return options, nil
}

// fieldText is a value of a JSON body as the text of a field.
func fieldText(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	text, err := json.Marshal(v) // numbers, and what a JSON field holds
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "%s cannot be read", name)
	}
	return string(text), nil
}

func sourceBody() *schema {
	t := datasource.Tables()[0]
	list := slices.Clone(t.Fields)
	for i := range list {
		list[i].Mandatory = list[i].Name == "name" || list[i].Name == "connection_url"
	}
	return fields("DataSourceRequest", list...)
}

func listedFields() []record.Field {
	return []record.Field{req("name", record.String, ""), req("active", record.Boolean, ""), req("kind", record.String, "The kind of source that the address means."),
		req("at", record.String, "The address, without secrets."), req("import_set_table", record.String, "The staging table, whose maps take the rows."),
		param("mark", record.String, "Where the next reading of rows goes on."), param("state", record.String, "How the source is."),
		param("last_success", record.String, ""), param("last_attempt", record.String, ""), param("message", record.String, "")}
}

func listedSchema() *schema { return fields("DataSource", listedFields()...) }

func fileSchema() *schema {
	return fields("DataSourceFile", req("path", record.String, ""), req("size", record.Integer, "Bytes, -1 when not known."), param("sha256", record.String, ""),
		req("state", record.String, "seen, fetched, done, failed, duplicate or quarantined."), param("reason", record.String, ""), param("run", record.Integer, ""))
}

func shownSchema() *schema {
	return fields("DataSourceDetails", listedFields()...).with(must("settings", mapOf(text())), must("files", listOf(fileSchema())), may("alerts", listOf(alertSchema())))
}

func checkedSchema() *schema {
	step := fields("DataSourceStep", req("what", record.String, ""), req("ok", record.Boolean, ""), param("detail", record.String, ""), param("hint", record.String, "How to mend it."))
	return fields("DataSourceTest", req("name", record.String, ""), param("kind", record.String, ""), param("at", record.String, ""), req("ok", record.Boolean, ""),
		param("host_key", record.String, "The key that the host shows at a first contact.")).with(must("steps", listOf(step)))
}

func sampleSchema() *schema {
	return fields("DataSourceSample", req("source", record.String, "")).with(must("columns", listOf(text())), must("rows", listOf(listOf(orNull(text())))), may("notes", listOf(text())))
}

func sourceResultSchema() *schema {
	return fields("DataSourceResult", needed(oneOf(param("state", record.String, ""), datasource.StateDone, datasource.StateNothing, datasource.StateWaiting, datasource.StateFailed)),
		param("message", record.String, ""), param("mark", record.String, "Where the next reading of rows goes on.")).
		with(must("runs", listOf(runSchema())), may("files", listOf(fileSchema())), may("notes", listOf(text())), may("drift", listOf(driftSchema())))
}

func driftSchema() *schema {
	return fields("Difference", needed(oneOf(param("kind", record.String, ""), datasource.NewColumn, datasource.MissingColumn, datasource.ChangedType)), req("column", record.String, ""),
		param("was", record.String, "The type agreed on."), param("is", record.String, "The type that came."), req("policy", record.String, "ignore, add, quarantine or stop."), param("hint", record.String, ""))
}

func alertSchema() *schema {
	return fields("Alert", req("kind", record.String, "failed, late, zero_rows, unusual_count, drift or absent_refused."), param("subject", record.String, "The column, of drift."), req("message", record.String, ""),
		param("hint", record.String, ""), param("run", record.Integer, ""), param("since", record.String, ""))
}
