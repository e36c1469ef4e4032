package project_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/outbound"
	"headrace/internal/flow/project"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

// world is a server with tables of its own and an environment that holds secrets.
type world struct {
	*testing.T
	*project.Service
	db      *record.DB
	secrets map[string]string
}

func open(t *testing.T, cfg sqlstore.Config) *world {
	t.Helper()
	task := record.Table{Name: "task", Extendable: true, Fields: []record.Field{{Name: "number", Type: record.String}, {Name: "priority", Type: record.Integer},
		{Name: "correlation_id", Type: record.String}}}
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: slices.Concat(importset.Tables(), outbound.Tables(), project.Tables(), []record.Table{task})})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, db: db, secrets: map[string]string{}}
	w.Service = project.New(project.Config{DB: db, Getenv: func(name string) (string, bool) { v, ok := w.secrets[name]; return v, ok },
		Check: func(name, text string, _ bool) error {
			if strings.Contains(text, "syntax error") {
				return fault.New(fault.Invalid, "%s:2:7: unexpected token", name)
			}
			return nil
		}})
	return w
}

// folder writes a project.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func with(files map[string]string, more ...string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		out[name] = text
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

func without(files map[string]string, name string) map[string]string {
	out := with(files)
	delete(out, name)
	return out
}

var sample = map[string]string{
	"project.yaml": "name: sample\n",
	"tables/u_ticket.yaml": `name: u_ticket
label: Ticket
fields:
  - {name: u_key, type: string, length: 40, unique: true}
  - {name: u_state, type: choice, choices: [{value: open, label: Open}, {value: shut, label: Shut}]}
indexes:
  - {fields: [u_key, u_state]}
`,
	"maps/answer.yaml": `name: partner answer
sourceTable: u_partner_answer
targetTable: u_ticket
copyEmptyFields: true
fields:
  u_key: {sourceField: key, coalesce: true}
  u_state: state
scripts:
  - {when: onBefore, script: answer.onBefore.js}
  - {when: onAfter, order: 50, script: "source.seen = true;"}
`,
	"maps/answer.onBefore.js":        "if (!source.key) {\n\tignore = true;\n}\n",
	"staging/u_partner_answer.yaml":  "synchronous: true\n",
	"policies/patient.yaml":          "attempts: 20\n",
	"credentials/basic/partner.yaml": "username: we\npassword: ${env:PARTNER_PASSWORD}\n",
	"rest/partner.yaml": `name: Partner
endpoint: https://partner.example/v1
authenticationType: basic
basicAuthProfile: partner
deliveryPolicy: patient
headers:
  Accept: application/json
functions:
  create:
    method: post
    endpoint: https://partner.example/v1/tickets
    content: '{"title":"${title}"}'
    headers: {X-Kind: "${title}"}
    query: {dry: "false"}
    variables: {title: an example}
    responseTable: u_partner_answer
  list: {method: get}
`,
}

func (w *world) load(dir string) *project.Project {
	w.Helper()
	p, err := w.Load(w.Context(), dir)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) apply(dir string) *project.Plan {
	w.Helper()
	plan, err := w.Apply(w.Context(), w.load(dir))
	if err != nil {
		w.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return plan
}

func (w *world) plan(dir string) *project.Plan {
	w.Helper()
	plan, err := w.Plan(w.Context(), w.load(dir))
	if err != nil {
		w.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return plan
}

func (w *world) wantEmpty(what string, plan *project.Plan) {
	w.Helper()
	for _, c := range plan.Changes {
		w.Errorf("%s: %s %s %s: %+v", what, c.Operation, c.Kind, c.Name, c.Fields)
	}
}

// records reads a table as texts, without what differs from server to server.
func (w *world) records(table string) []string {
	w.Helper()
	t := w.db.Catalog().Table(table)
	var out []string
	names := slices.DeleteFunc(t.Names(), func(n string) bool { return strings.HasPrefix(n, "sys_") && n != record.SysID })
	for row, err := range w.db.As(record.System).Select(w.Context(), &record.Query{Table: t, Fields: names}) {
		if err != nil {
			w.Fatal(err)
		}
		line := table
		for i, v := range row {
			if v.Valid {
				line += " " + names[i] + "=" + v.Text
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func onBoth(t *testing.T, test func(w *world)) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg)
		w.secrets["PARTNER_PASSWORD"] = "pa55-planted"
		test(w)
	})
}

func TestAPlanIsEmptyAfterItWasApplied(t *testing.T) {
	onBoth(t, func(w *world) {
		dir := folder(w.T, sample)
		before := w.plan(dir)
		done := w.apply(dir)
		if len(done.Changes) == 0 || len(done.Changes) != len(before.Changes) {
			w.Errorf("the plan had %d changes, applying it %d", len(before.Changes), len(done.Changes))
		}
		w.wantEmpty("after apply", w.plan(dir))
		w.wantEmpty("applied again", w.apply(dir))
		if f := w.db.Catalog().Table("u_ticket").Field("u_state"); f == nil || len(f.Choices) != 2 {
			w.Errorf("the table's field is %+v", f)
		}
	})
}

func TestTwoServersAgreeOnIds(t *testing.T) {
	a, b := open(t, stores.SQLite(t)), open(t, stores.SQLite(t))
	for _, w := range []*world{a, b} {
		w.secrets["PARTNER_PASSWORD"] = "same"
		w.apply(folder(t, sample))
	}
	for _, table := range []string{"sys_transform_map", "sys_transform_entry", "sys_transform_script", "sys_rest_message", "sys_rest_message_fn", "sys_rest_message_fn_headers"} {
		if one, two := a.records(table), b.records(table); len(one) == 0 || !slices.Equal(one, two) {
			t.Errorf("%s:\n%s\nand\n%s", table, strings.Join(one, "\n"), strings.Join(two, "\n"))
		}
	}
}

func TestAnExportPlansEmptyAgainstTheSameStore(t *testing.T) {
	onBoth(t, func(w *world) {
		w.apply(folder(w.T, sample))
		dir := w.TempDir()
		out, err := w.Export(w.Context(), dir, "sample")
		if err != nil {
			w.Fatal(err)
		}
		w.wantEmpty("after export", w.plan(dir))
		if again, err := w.Export(w.Context(), dir, ""); err != nil || len(again.Files) != 0 {
			w.Errorf("exporting again writes %v, %v", again, err)
		}
		for _, name := range out.Files {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || strings.Contains(string(text), "pa55-planted") {
				w.Errorf("%s holds the secret, %v", name, err)
			}
		}
		if !slices.Contains(out.Files, "maps/partner-answer.onBefore1.script.js") {
			w.Errorf("the script of the map is in none of %v", out.Files)
		}
	})
}

func TestAnExportedProjectMakesTheSameElsewhere(t *testing.T) {
	a, b := open(t, stores.SQLite(t)), open(t, stores.SQLite(t))
	a.secrets["PARTNER_PASSWORD"], b.secrets["SECRET_PARTNER_PASSWORD"] = "one", "one"
	a.apply(folder(t, sample))
	dir := t.TempDir()
	if _, err := a.Export(t.Context(), dir, "sample"); err != nil {
		t.Fatal(err)
	}
	b.apply(dir)
	for _, table := range []string{"sys_transform_map", "sys_transform_entry", "sys_transform_script", "sys_rest_message", "sys_rest_message_fn", "sys_auth_profile_basic", "sys_import_set_table"} {
		if one, two := a.records(table), b.records(table); len(one) == 0 || !slices.Equal(one, two) {
			t.Errorf("%s:\n%s\nand\n%s", table, strings.Join(one, "\n"), strings.Join(two, "\n"))
		}
	}
}

func TestWhatIsExportedIntoAProjectKeepsItsFiles(t *testing.T) {
	w := open(t, stores.SQLite(t))
	w.secrets["PARTNER_PASSWORD"] = "x"
	dir := folder(t, sample)
	w.apply(dir)
	policies := w.db.Catalog().Table("sys_outbound_policy")
	if _, _, err := w.db.As(record.System).Update(t.Context(), policies, record.IDFrom("sys_outbound_policy", "patient"), []record.Assignment{{Field: "attempts", Value: record.Text("3")}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.Export(t.Context(), dir, "")
	if err != nil || !slices.Equal(out.Files, []string{"policies/patient.yaml"}) {
		t.Errorf("it writes %v, %v", out, err)
	}
	w.wantEmpty("after export", w.plan(dir))
}

func TestWhatAProjectNoLongerHasIsRemoved(t *testing.T) {
	onBoth(t, func(w *world) {
		s := w.db.As(record.System)
		byHand, err := s.Insert(w.Context(), w.db.Catalog().Table("sys_transform_map"), []record.Assignment{{Field: "name", Value: record.Text("by hand")}})
		if err != nil {
			w.Fatal(err)
		}
		w.apply(folder(w.T, sample))
		less := without(without(sample, "maps/answer.yaml"), "maps/answer.onBefore.js")
		less["rest/partner.yaml"] = strings.Replace(less["rest/partner.yaml"], "  list: {method: get}\n", "", 1)
		dir := folder(w.T, less)
		plan := w.plan(dir)
		inserted, updated, deleted := plan.Count()
		if inserted != 0 || updated != 0 || deleted != 6 { // the map, its two fields and two scripts; the function
			w.Errorf("the plan is %+v", plan.Changes)
		}
		w.apply(dir)
		w.wantEmpty("after removal", w.plan(dir))
		if got := w.records("sys_transform_map"); len(got) != 1 || !strings.Contains(got[0], byHand.ID()) {
			w.Errorf("maps left: %v", got)
		}
		if got := w.records("sys_transform_entry"); len(got) != 0 {
			w.Errorf("field maps left: %v", got)
		}
	})
}

func TestAPlanShowsWhatDiffersFieldByField(t *testing.T) {
	w := open(t, stores.SQLite(t))
	w.secrets["PARTNER_PASSWORD"] = "x"
	w.apply(folder(t, sample))
	dir := folder(t, with(sample, "policies/patient.yaml", "attempts: 9\nbase: 250\n", "rest/partner.yaml", strings.Replace(sample["rest/partner.yaml"], "method: post", "method: put", 1)))
	var got []string
	for _, c := range w.plan(dir).Changes {
		for _, f := range c.Fields {
			got = append(got, string(c.Operation)+" "+c.Kind+" "+c.Name+" "+f.Property+": "+f.Old+" -> "+f.New)
		}
	}
	want := []string{"update delivery policy patient attempts: 20 -> 9", "update delivery policy patient base: 1000 -> 250", "update REST message Partner/create method: post -> put"}
	if !slices.Equal(got, want) {
		t.Errorf("it shows %q", got)
	}
}

func TestAProjectIsAppliedWholeOrNotAtAll(t *testing.T) {
	onBoth(t, func(w *world) {
		dir := folder(w.T, with(sample, "rest/second.yaml", "name: Second\ndeliveryPolicy: nobody\n"))
		_, err := w.Apply(w.Context(), w.load(dir))
		if err == nil || !strings.Contains(err.Error(), `rest/second.yaml:2:17: deliveryPolicy: no record of sys_outbound_policy is called "nobody"`) {
			w.Errorf("the error is %v", err)
		}
		for _, table := range []string{"sys_transform_map", "sys_rest_message", "sys_project_record"} {
			if got := w.records(table); len(got) != 0 {
				w.Errorf("%s holds %v", table, got)
			}
		}
		if w.db.Catalog().Table("u_ticket") != nil {
			w.Error("the table is there")
		}
	})
}

func TestWhatAnotherProjectHasIsLeftAlone(t *testing.T) {
	w := open(t, stores.SQLite(t))
	w.apply(folder(t, map[string]string{"project.yaml": "name: first\n", "policies/patient.yaml": "attempts: 5\n"}))
	dir := folder(t, map[string]string{"project.yaml": "name: second\n", "policies/patient.yaml": "attempts: 6\n"})
	_, err := w.Apply(t.Context(), w.load(dir))
	if err == nil || !strings.Contains(err.Error(), "delivery policy patient belongs to the project first") {
		t.Errorf("the error is %v", err)
	}
}

func TestASecretThatIsNotSetHere(t *testing.T) {
	w := open(t, stores.SQLite(t))
	dir := folder(t, sample)
	_, err := w.Apply(t.Context(), w.load(dir))
	if err == nil || !strings.Contains(err.Error(), "${env:PARTNER_PASSWORD} is not set") {
		t.Fatalf("at first: %v", err)
	}
	w.secrets["PARTNER_PASSWORD"] = "x"
	w.apply(dir)
	delete(w.secrets, "PARTNER_PASSWORD")
	plan := w.plan(dir)
	w.wantEmpty("without it", plan)
	if len(plan.Notes) != 1 {
		t.Errorf("notes: %v", plan.Notes)
	}
	w.secrets["PARTNER_PASSWORD"] = "another"
	plan = w.plan(dir)
	if len(plan.Changes) != 1 || !plan.Changes[0].Fields[0].Secret || plan.Changes[0].Fields[0].New != "" {
		t.Errorf("another secret: %+v", plan.Changes)
	}
}

func TestTablesGrowAndChoicesGo(t *testing.T) {
	onBoth(t, func(w *world) {
		w.secrets["PARTNER_PASSWORD"] = "x"
		w.apply(folder(w.T, sample))
		text := strings.Replace(sample["tables/u_ticket.yaml"], ", {value: shut, label: Shut}", "", 1)
		text = strings.Replace(text, "indexes:", "  - {name: u_note, type: string, label: Note}\nindexes:", 1)
		dir := folder(w.T, with(sample, "tables/u_ticket.yaml", text, "tables/task.yaml", "name: task\nfields: [{name: u_partner, type: string}]\n"))
		w.apply(dir)
		w.wantEmpty("after apply", w.plan(dir))
		ticket := w.db.Catalog().Table("u_ticket")
		if ticket.Field("u_note") == nil || len(ticket.Field("u_state").Choices) != 1 || w.db.Catalog().Table("task").Field("u_partner") == nil {
			w.Errorf("the fields are %v", ticket.Names())
		}
	})
}

// Every mistake has its place, and where a word was misspelt the word that was meant.
func TestMistakesInFilesHaveTheirPlace(t *testing.T) {
	w := open(t, stores.SQLite(t))
	base := map[string]string{"project.yaml": "name: sample\n"}
	for name, c := range map[string]struct{ file, text, says string }{
		"unknown property":    {"policies/p.yaml", "attempts: 1\natempts: 2\n", `policies/p.yaml:2:1: a delivery policy has no property "atempts" -> did you mean "attempts"?`},
		"not a number":        {"policies/p.yaml", "attempts: many\n", `policies/p.yaml:1:11: attempts: "many" is not a whole number`},
		"unknown word":        {"rest/m.yaml", "authenticationType: basick\n", `rest/m.yaml:1:21: authenticationType: "basick" is not one of the choices -> did you mean "basic"?`},
		"in a part":           {"rest/m.yaml", "functions:\n  a: {methd: get}\n", `rest/m.yaml:2:7: a REST message has no property "methd" -> did you mean "method"?`},
		"literal secret":      {"credentials/basic/c.yaml", "username: u\npassword: hunter2\n", `credentials/basic/c.yaml:2:11: password is a secret and must not stand in a file`},
		"secret in a header":  {"rest/m.yaml", "headers:\n  Authorization: Basic abc\n", `rest/m.yaml:2:18: a secret stands in the header Authorization`},
		"broken text":         {"rest/m.yaml", "name: [\n", "rest/m.yaml:1:"},
		"more than a value":   {"policies/p.yaml", "attempts: {a: 1}\n", "policies/p.yaml:1:12: attempts is one value"},
		"stray script":        {"maps/lost.js", "x\n", "maps/lost.js:1:1: the script belongs to nothing"},
		"missing script":      {"maps/m.yaml", "targetTable: task\nfields: {number: n}\nscripts: [{when: onBefore, script: m.js}]\n", "maps/m.yaml:3:36: there is no file maps/m.js"},
		"wrong folder":        {"policy/p.yaml", "attempts: 1\n", `policy/p.yaml:1:1: folder policy is none that a project has -> did you mean policies?`},
		"unknown table":       {"maps/m.yaml", "targetTable: tsk\nfields: {number: n}\n", `maps/m.yaml:1:14: there is no table "tsk" -> did you mean "task"?`},
		"unknown field":       {"maps/m.yaml", "targetTable: task\nfields: {numbr: n}\n", `table task has no field "numbr" -> did you mean "number"?`},
		"type that is none":   {"tables/u_x.yaml", "fields: [{name: a, type: strng}]\n", "tables/u_x.yaml:1:1: field u_x.a has the unknown type"},
		"table's property":    {"tables/u_x.yaml", "feilds: []\n", `tables/u_x.yaml:1:1: unknown field "feilds" -> did you mean "fields"?`},
		"undeclared variable": {"rest/m.yaml", "functions:\n  a:\n    content: ${b}\n    variables: {c: 1}\n", "rest/m.yaml:3:14: the variable ${b} is not declared"},
		"syntax":              {"maps/m.yaml", "targetTable: task\nfields:\n  number: {useSourceScript: true, sourceScript: \"\\n syntax error\"}\n", "maps/m.yaml:3:49: transform map m/number: maps/m.yaml:2:7: unexpected token"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := w.Load(context.Background(), folder(t, with(base, c.file, c.text)))
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, f := range p.Findings {
				all = append(all, f.String())
			}
			if !slices.ContainsFunc(all, func(f string) bool { return strings.Contains(f, c.says) }) {
				t.Errorf("the findings are\n%s\nnone says\n%s", strings.Join(all, "\n"), c.says)
			}
		})
	}
}

func TestASoundProjectHasNoFindings(t *testing.T) {
	w := open(t, stores.SQLite(t))
	for _, f := range w.load(folder(t, sample)).Findings {
		t.Error(f)
	}
}

func TestTwoFilesCannotDescribeOneRecord(t *testing.T) {
	w := open(t, stores.SQLite(t))
	p := w.load(folder(t, map[string]string{"project.yaml": "name: p\n", "policies/a.yaml": "name: x\n", "policies/b.yaml": "name: x\n"}))
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "policies/b.yaml:1:1: delivery policy x is described in policies/a.yaml already") {
		t.Errorf("the error is %v", err)
	}
}

func TestInitMakesAProjectThatIsSoundAndStaysOne(t *testing.T) {
	w := open(t, stores.SQLite(t))
	dir := filepath.Join(t.TempDir(), "My Partner")
	files, err := w.Init(dir, "")
	if err != nil || !slices.Contains(files, "project.yaml") || !slices.Contains(files, ".headrace/schema/rest.json") {
		t.Fatalf("it writes %v, %v", files, err)
	}
	if p := w.load(dir); p.Name != "my-partner" || len(p.Findings) > 0 {
		t.Errorf("the project is %+v", p)
	}
	if again, err := w.Init(dir, ""); err != nil || len(again) != 0 {
		t.Errorf("again it writes %v, %v", again, err)
	}
}
