package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headrace/internal/core/fault"
	"headrace/internal/door/rest/v1"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/transform"
)

// remote is a server that verbs work against, by its own API.
type remote struct {
	base           string
	user, password string
	token          string
}

// remoteWork is what a verb does against a server.
type remoteWork func(ctx context.Context, r *remote, args []string) error

// onServer lets a verb work against the server that --server names, and as before without one.
func (c *console) onServer(cmd *cobra.Command, do remoteWork) *cobra.Command {
	local := cmd.RunE
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[serverVerb] = "yes"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.settings.Server == "" {
			return local(cmd, args)
		}
		r := &remote{base: strings.TrimSuffix(c.settings.Server, "/"), user: os.Getenv("HEADRACE_USER"), password: os.Getenv("HEADRACE_PASSWORD"), token: os.Getenv("HEADRACE_TOKEN")}
		if r.token == "" && r.user == "" {
			return fault.New(fault.Invalid, "the server wants to know who you are").WithHint("set HEADRACE_USER and HEADRACE_PASSWORD, or HEADRACE_TOKEN")
		}
		return do(cmd.Context(), r, args)
	}
	return cmd
}

// serverVerb marks the verbs that work against a server.
const serverVerb = "server"

// atHome are the verbs that have nothing to do with a server's data.
var atHome = []string{"serve", "init", "test", "version", "advise", "demo", "mock", "help", "completion"}

// checkServer refuses verbs that do not work against a server where one is named: they would work on other data.
func (c *console) checkServer(cmd *cobra.Command) error {
	verb, _, _ := strings.Cut(verbOf(cmd), " ")
	if c.settings.Server == "" || cmd.Annotations[serverVerb] != "" || slices.Contains(atHome, verb) || cmd.HasSubCommands() {
		return nil
	}
	return fault.New(fault.Invalid, "%s does not work against a server yet", verbOf(cmd)).
		WithHint("import, inspect, apply, undo, run, record and table do; leave --server and HEADRACE_SERVER away to work on --data or --database")
}

// call sends a request and reads the answer into out.
func (r *remote) call(ctx context.Context, method, path string, body io.Reader, kind string, out any) error {
	req, err := r.request(ctx, method, v1.Prefix+path, body, kind)
	if err != nil {
		return err
	}
	status, text, err := r.answer(req)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return r.refusal(status, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fault.Wrap(fault.Unavailable, err, "%s does not answer as a Headrace server", r.base)
	}
	return nil
}

// request makes a request with the caller's credentials.
func (r *remote) request(ctx context.Context, method, path string, body io.Reader, kind string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no address of a server", r.base).WithHint("--server http://127.0.0.1:8080")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	} else {
		req.SetBasicAuth(r.user, r.password)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// answer sends a request and reads the answer to its end.
func (r *remote) answer(req *http.Request) (status int, text []byte, err error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fault.Wrap(fault.Unavailable, err, "the server cannot be reached: %v", err).WithHint("does `headrace serve` run at %s?", r.base)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, fault.Wrap(fault.Unavailable, err, "the server's answer broke off")
	}
	return resp.StatusCode, text, nil
}

// refusal turns a problem of the server into the fault that it was there.
func (r *remote) refusal(status int, text []byte) error {
	var p struct {
		Detail, Code, Hint string
	}
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return fault.New(fault.Unavailable, "the server answers %d", status)
	}
	kind := fault.Internal
	for k := fault.Internal; k <= fault.Canceled; k++ {
		if k.String() == p.Code {
			kind = k
		}
	}
	f := fault.New(kind, "%s", p.Detail)
	if p.Hint != "" {
		f = f.WithHint("%s", p.Hint)
	}
	return f
}

// rowsHeader tells, behind a download, how many rows it held: its absence that it broke off.
const rowsHeader = "X-Headrace-Rows"

// download writes the body of an answer and tells how many rows the server says it has.
func (r *remote) download(ctx context.Context, path string, w io.Writer) (int64, error) {
	req, err := r.request(ctx, http.MethodGet, v1.Prefix+path, nil, "")
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the server cannot be reached: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		text, err := io.ReadAll(resp.Body)
		return 0, errors.Join(err, r.refusal(resp.StatusCode, text))
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the server's answer broke off")
	}
	rows, err := strconv.ParseInt(resp.Trailer.Get(rowsHeader), 10, 64)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the server's answer broke off")
	}
	return rows, nil
}

func (r *remote) get(ctx context.Context, path string, out any) error {
	return r.call(ctx, http.MethodGet, path, nil, "", out)
}

func (r *remote) post(ctx context.Context, path string, body, out any) error {
	text, err := marshal(body)
	if err != nil {
		return err
	}
	return r.call(ctx, http.MethodPost, path, bytes.NewReader(text), "application/json", out)
}

// send uploads a source with parameters, as it is read.
func (r *remote) send(ctx context.Context, path, name string, from io.Reader, params url.Values, out any) error {
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	done := make(chan struct{})
	go func() {
		defer close(done)
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = io.Copy(part, from)
		}
		for key, values := range params {
			if err == nil && values[0] != "" {
				err = form.WriteField(key, values[0])
			}
		}
		pw.CloseWithError(cmp.Or(err, form.Close()))
	}()
	err := r.call(ctx, http.MethodPost, path, pr, form.FormDataContentType(), out)
	pr.CloseWithError(io.ErrClosedPipe)
	<-done
	return err
}

// upload opens the source of a verb and sends it with what the flags say of it.
func (c *console) upload(ctx context.Context, r *remote, path, name string, flags *sourceFlags, params url.Values, out any) error {
	if !isPath(name) {
		return c.fetchThere(ctx, r, path, name, flags, params, out)
	}
	in, err := c.openPath(ctx, name, flags.format, flags.given())
	if err != nil {
		return err
	}
	defer in.close()
	from, err := in.Open(ctx)
	if err != nil {
		return err
	}
	defer from.Close()
	params.Set("format", flags.format)
	if given := flags.given(); len(given) > 0 {
		text, err := marshal(given)
		if err != nil {
			return err
		}
		params.Set("options", string(text))
	}
	return r.send(ctx, path, filepath.Base(in.Name), from, params, out)
}

// fetchThere lets the server fetch a source: a saved data source of its own, or a public address.
func (c *console) fetchThere(ctx context.Context, r *remote, path, name string, flags *sourceFlags, params url.Values, out any) error {
	if flags.user != "" || flags.credential != "" || strings.Contains(name, "@") {
		return fault.New(fault.Invalid, "credentials are not sent along with an address").WithHint("save a data source with its credential on the server, and name it")
	}
	params.Set("source", name)
	params.Set("format", flags.format)
	if given := flags.given(); len(given) > 0 {
		text, err := marshal(given)
		if err != nil {
			return err
		}
		params.Set("options", string(text))
	}
	err := r.call(ctx, http.MethodPost, path+"?"+params.Encode(), nil, "", out)
	if fault.KindOf(err) == fault.NotFound && err != nil && !datasource.IsAddress(name) {
		return fault.Wrap(fault.NotFound, err, "%s does not exist here, and is no data source of the server", name).WithHint("%s", cmp.Or(fault.HintOf(err), "`headrace source list` shows them"))
	}
	return err
}

// remoteSource has a server bring in one of its data sources.
func (c *console) remoteSource(ctx context.Context, r *remote, name string, restart, accept bool) error {
	var result v1.SourceResult
	if err := r.post(ctx, "/data-sources/"+url.PathEscape(name)+"/imports", map[string]bool{"restart": restart, "accept": accept}, &result); err != nil {
		return err
	}
	for _, n := range result.Notes {
		c.note("  %s", n)
	}
	return c.showResult(&result)
}

// params are the flags of a map as the server takes them.
func (m *mapFlags) params() (url.Values, error) {
	v := url.Values{"into": {m.into}, "coalesce": {strings.Join(m.coalesce, ",")}, "on_duplicate": {m.onDuplicate}, "mode": {m.mode}}
	if m.create {
		v.Set("create", "true")
	}
	if m.file == "" {
		return v, nil
	}
	v.Set("map", m.file) // the name of maps of an earlier run
	if text, err := os.ReadFile(m.file); err == nil {
		if _, err := transform.Parse(m.file, text); err != nil {
			return nil, err
		}
		v.Set("map", string(text))
	} else if !errors.Is(err, os.ErrNotExist) || strings.ContainsAny(m.file, `./\`) {
		return nil, fault.Wrap(fault.Invalid, err, "the map cannot be read")
	}
	return v, nil
}

func (c *console) remoteImport(ctx context.Context, r *remote, name string, o *importOptions) error {
	if !isPath(name) && !datasource.IsAddress(name) && !o.plan && o.maps.none() && o.source.none() {
		err := c.remoteSource(ctx, r, name, o.restart, false)
		if fault.KindOf(err) == fault.NotFound && err != nil {
			return fault.Wrap(fault.NotFound, err, "%s does not exist here, and is no data source of the server", name).WithHint("%s", fault.HintOf(err))
		}
		return err
	}
	params, err := o.maps.params()
	if err != nil {
		return err
	}
	if o.plan {
		var p v1.Plan
		if err := c.upload(ctx, r, "/plans", name, &o.source, params, &p); err != nil {
			return err
		}
		named := p.ID
		if o.save != "" {
			named = o.save
			if err := saveReference(o.save, r.base, p.ID); err != nil {
				return err
			}
		}
		c.note("  plan %s is kept on the server; headrace apply %s does exactly this", p.ID, named)
		return c.showPlan(p.Report(), nil, o.changes)
	}
	params.Set("wait", "true")
	if o.restart {
		params.Set("restart", "true")
	}
	var run v1.Run
	if err := c.upload(ctx, r, "/imports", name, &o.source, params, &run); err != nil {
		return err
	}
	for _, n := range run.Notes {
		c.note("  %s", n)
	}
	return c.remoteRun(run)
}

// remoteRun shows a run that a server told of.
func (c *console) remoteRun(told v1.Run) error {
	run := runFrom(told)
	if run.Ledger.Rejected > 0 {
		c.code = exitRejected
	}
	if err := c.show(runAnswer(run, told.Reasons)); err != nil {
		return err
	}
	c.whatNow(run)
	return nil
}

// runFrom is the run that an answer of the API tells of.
func runFrom(r v1.Run) *importset.Run {
	run := &importset.Run{Number: r.Run, State: importset.State(r.State), Source: r.Source, Target: r.Target, Format: r.Format, Ledger: r.Ledger,
		Took: time.Duration(r.Seconds * float64(time.Second)), Resumed: r.Resumed, Message: r.Message, Maps: r.Maps, Undone: r.Undo, Absent: r.Absent}
	if started, err := time.Parse(time.RFC3339, r.Started); err == nil {
		run.Started = started
	}
	return run
}

func (c *console) remoteInspect(ctx context.Context, r *remote, name string, o *inspectOptions) error {
	if o.save != "" && o.into != "" {
		return fault.New(fault.Invalid, "inspect --save with --into does not work against a server yet").WithHint("leave --into away: the map is then derived from the file")
	}
	var survey importset.Survey
	if err := c.upload(ctx, r, "/inspections", name, &o.source, url.Values{"into": {o.into}, "key": {strings.Join(o.key, ",")}}, &survey); err != nil {
		return err
	}
	if o.save != "" {
		if err := o.saveDerived(name, &survey); err != nil {
			return err
		}
	}
	return c.show(c.surveyAnswer(&survey))
}

func (c *console) remoteUndo(ctx context.Context, r *remote, number string, dryRun bool) error {
	n, err := runNumber(number)
	if err != nil {
		return err
	}
	var done v1.Undone
	if err := r.post(ctx, fmt.Sprintf("/runs/%d/undo", n), map[string]bool{"dry_run": dryRun}, &done); err != nil {
		return err
	}
	if done.Refused > 0 {
		c.code = exitRejected
	}
	return c.show(undoAnswer(done.UndoReport, dryRun))
}

// remoteAct posts to a run and shows what it is then.
func (c *console) remoteAct(act string) remoteWork {
	return func(ctx context.Context, r *remote, args []string) error {
		n, err := runNumber(args[0])
		if err != nil {
			return err
		}
		var run v1.Run
		if err := r.call(ctx, http.MethodPost, fmt.Sprintf("/runs/%d/%s", n, act), nil, "", &run); err != nil {
			return err
		}
		return c.remoteRun(run)
	}
}

func (c *console) remoteRetry(ctx context.Context, r *remote, number, file string) error {
	n, err := runNumber(number)
	if err != nil {
		return err
	}
	params, err := (&mapFlags{file: file}).params()
	if err != nil {
		return err
	}
	body := map[string]string{}
	if given := params.Get("map"); given != "" {
		body["map"] = given
	}
	var run v1.Run
	if err := r.post(ctx, fmt.Sprintf("/runs/%d/retry", n), body, &run); err != nil {
		return err
	}
	return c.remoteRun(run)
}

// planReference is what a file holds that names a plan on a server.
type planReference struct {
	Server string `json:"server"`
	Plan   string `json:"plan"`
}

func saveReference(path, server, plan string) error {
	text, err := marshal(planReference{server, plan})
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		return unsaved(path, err)
	}
	return nil
}

// planID is the id of a plan on the server, given as such or by a file that --save wrote.
func planID(given string) (string, error) {
	text, err := os.ReadFile(given)
	if err != nil {
		return given, nil
	}
	var ref planReference
	if json.Unmarshal(text, &ref) != nil || ref.Plan == "" {
		return "", fault.New(fault.Invalid, "%s is no plan of a server", given).WithHint("a plan made without --server is applied without it")
	}
	return ref.Plan, nil
}

func (c *console) remoteApply(ctx context.Context, r *remote, given string, restart bool) error {
	plan, err := planID(given)
	if err != nil {
		return err
	}
	var run v1.Run
	if err := r.call(ctx, http.MethodPost, fmt.Sprintf("/plans/%s/apply?wait=true&restart=%t", url.PathEscape(plan), restart), nil, "", &run); err != nil {
		return err
	}
	return c.remoteRun(run)
}

func (c *console) remoteShow(ctx context.Context, r *remote, args []string) error {
	n, err := runNumber(args[0])
	if err != nil {
		return err
	}
	var told v1.Run
	if err := r.get(ctx, fmt.Sprintf("/runs/%d", n), &told); err != nil {
		return err
	}
	run := runFrom(told)
	out := runAnswer(run, told.Reasons)
	out.text += runDetails(run)
	return c.show(out)
}

// pagesOf reads a list of the server page by page.
func pagesOf[T any](ctx context.Context, r *remote, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			var page v1.Page[T]
			if err := r.get(ctx, path+"?"+query.Encode(), &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

func (c *console) remoteRuns(ctx context.Context, r *remote, _ []string) error {
	values := []v1.Run{}
	for run, err := range pagesOf[v1.Run](ctx, r, "/runs", url.Values{}) {
		if err != nil {
			return err
		}
		values = append([]v1.Run{run}, values...) // oldest first
	}
	out := answer{header: runHeader, value: values}
	for _, run := range values {
		out.rows = append(out.rows, runRow(runFrom(run)))
	}
	return c.show(out)
}

func (c *console) remoteRows(ctx context.Context, r *remote, number string, o *rowsOptions) error {
	n, err := runNumber(number)
	if err != nil {
		return err
	}
	query := url.Values{}
	if len(o.fates) > 0 {
		query.Set("fate", strings.Join(o.fates, ","))
	}
	if o.save != "" {
		return c.saveRows(n, o.save, func(w io.Writer) (int64, error) {
			return r.download(ctx, fmt.Sprintf("/runs/%d/file?%s", n, query.Encode()), w)
		})
	}
	rows := pagesOf[v1.Row](ctx, r, fmt.Sprintf("/runs/%d/rows", n), query)
	return c.showList([]string{"line", "fate", "reason", "message", "target"}, func(yield func(item, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(item{}, err)
				return
			}
			it := item{value: row, cells: []string{fmt.Sprint(row.Line), row.Fate, row.Reason, rejectText(row.Reject), row.Target}}
			if !yield(it, nil) {
				return
			}
		}
	})
}

// rejectText is why a row cannot be used, as the local verbs say it.
func rejectText(v any) string {
	m, _ := v.(map[string]any)
	text := func(name string) string { s, _ := m[name].(string); return s }
	if m == nil {
		return ""
	}
	return reason(&transform.Reject{Column: text("column"), Value: text("value"), Msg: text("msg"), Hint: text("hint")})
}
