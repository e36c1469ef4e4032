package project

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/schedule"
)

// Load reads a project's folder and holds it to all checks: what Plan and Apply want.
func (s *Service) Load(ctx context.Context, dir string) (*Project, error) {
	p, err := s.Read(dir)
	if err != nil {
		return nil, err
	}
	return p, s.Lint(ctx, p)
}

// linter looks at one project.
type linter struct {
	*Service
	project *Project
	catalog *record.Catalog
	events  map[string]bool // that are registered, here or on the server
	queues  map[string]bool
}

// Lint adds to the project's findings what its files say that cannot work, and as warnings what seldom does. An error
// means that it could not look.
func (s *Service) Lint(ctx context.Context, p *Project) error {
	l := &linter{Service: s, project: p}
	var err error
	if l.catalog, err = s.catalog(p); err != nil {
		l.catalog = s.cfg.DB.Catalog()
	}
	if l.events, err = l.registered(ctx, "sysevent_register", "event_name"); err != nil {
		return err
	}
	if l.queues, err = l.registered(ctx, "sysevent_queue", "queue"); err != nil {
		return err
	}
	for _, it := range p.Items {
		for i := range it.Values {
			l.syntax(it, &it.Values[i])
		}
		l.tableNames(it)
		if check := checks[it.Table.Name]; check != nil {
			check(l, it)
		}
	}
	return nil
}

// checks are what else is looked at, by table.
var checks = map[string]func(*linter, *Item){
	"sys_script":                  (*linter).rule,
	"sysevent_register":           (*linter).event,
	"sysevent_script_action":      (*linter).action,
	"sys_script_include":          (*linter).include,
	"sys_transform_entry":         (*linter).mapped,
	"sys_rest_message_fn":         (*linter).placeholders,
	"sys_soap_message_function":   (*linter).placeholders,
	"sys_transform_script":        (*linter).script,
	"sys_rest_message_fn_headers": (*linter).header,
	"sys_rest_message_headers":    (*linter).header,
	"sys_soap_message_headers":    (*linter).header,
	"sys_data_source":             (*linter).address,
	"sys_export_set":              (*linter).address,
	"sysauto_script":              (*linter).schedule,
	"scheduled_import_set":        (*linter).schedule,
	"scheduled_data_export":       (*linter).schedule,
}

// registered gives the names that the server and the project have in a table.
func (l *linter) registered(ctx context.Context, table, field string) (map[string]bool, error) {
	t := l.cfg.DB.Catalog().Table(table)
	if t == nil {
		return nil, nil
	}
	names := map[string]bool{}
	for _, name := range l.project.names(table) {
		names[name] = true
	}
	for row, err := range l.session().Select(ctx, &record.Query{Table: t, Fields: []string{field}}) {
		if err != nil {
			return nil, err
		}
		names[row[0].Text] = true
	}
	return names, nil
}

func (l *linter) mistake(at *yamlfile.Node, code, message, hint string) {
	l.find(at, code, message, hint, false)
}

func (l *linter) warn(at *yamlfile.Node, code, message, hint string) {
	l.find(at, code, message, hint, true)
}

func (l *linter) find(at *yamlfile.Node, code, message, hint string, warning bool) {
	l.project.Findings = append(l.project.Findings, Finding{Place: at.Place(), Code: code, Message: message, Hint: hint, Warning: warning})
}

// syntax reports scripts that are none. The line of a script that stands inside a YAML file counts from its beginning.
func (l *linter) syntax(it *Item, v *Value) {
	if l.cfg.Check == nil || !isScript(v.Field) && v.Field.Type != record.Script || v.Value.Empty() {
		return
	}
	err := l.cfg.Check(v.At.File, v.Value.Text, v.Field.Name == "condition" || v.Field.Name == "condition_script")
	if err == nil {
		return
	}
	f := Finding{Place: v.At.Place(), Code: "syntax", Message: it.Title() + ": " + err.Error(), Hint: fault.HintOf(err)}
	if at := placeForm.FindString(err.Error()); at != "" && strings.HasSuffix(v.At.File, ".js") {
		f.Place, f.Message = at, strings.TrimPrefix(err.Error()[len(at):], ": ")
	}
	l.project.Findings = append(l.project.Findings, f)
}

// tableFields are the fields that name a table.
var tableFields = []string{"collection", "source_table", "target_table", "table"}

// tableNames reports names of tables that there are none of.
func (l *linter) tableNames(it *Item) {
	for _, field := range tableFields {
		v := it.Value(field)
		if v == nil || v.Value.Empty() || field == "source_table" || field == "collection" && v.Value.Text == "global" {
			continue
		}
		if l.catalog.Table(v.Value.Text) == nil {
			l.mistake(it.place(field), "table", "there is no table "+quoted(v.Value.Text), nearTo(v.Value.Text, l.catalog.Names()))
		}
	}
	t := l.catalog.Table(it.Text("collection"))
	if v := it.Value("filter_condition"); t != nil && v != nil {
		l.condition(it, t, v)
	}
}

func nearTo(name string, names []string) string {
	if near := record.Nearest(name, names); near != "" {
		return "did you mean " + quoted(near) + "?"
	}
	return ""
}

// condition reports terms of an encoded query that mean nothing: the server would leave them out, and more would match.
func (l *linter) condition(it *Item, t *record.Table, v *Value) {
	q, err := query.Parse(v.Value.Text, t, query.Env{UserID: record.System.ID, UserName: record.System.Name})
	if err != nil {
		l.mistake(it.place(v.Field.Name), "condition", err.Error(), fault.HintOf(err))
		return
	}
	if bad := slices.DeleteFunc(q.Invalid, changeTerm); len(bad) > 0 {
		l.mistake(it.place(v.Field.Name), "condition", "terms without meaning on "+t.Name+": "+strings.Join(bad, ", "), nearTo(fieldOf(bad[0]), t.Names()))
	}
}

// changeTerm reports whether a term is about a change, which only rules understand.
func changeTerm(term string) bool {
	for _, op := range []string{"VALCHANGES", "CHANGESFROM", "CHANGESTO"} {
		if strings.Contains(term, op) {
			return true
		}
	}
	return false
}

var fieldStart = regexp.MustCompile(`^[a-z0-9_.]+`)

func fieldOf(term string) string { return fieldStart.FindString(term) }

func (l *linter) rule(it *Item) {
	l.script(it)
	code := codeOf(it.Text("script"))
	when, at := it.Text("when"), it.place("script")
	early := when == "before" || when == "after"
	if early && ownUpdate.MatchString(code) {
		l.warn(at, "own-update", "a "+when+" rule that calls current.update() runs itself again", "set the fields of current in a before rule")
	}
	if strings.HasPrefix(when, "async") && changesCall.MatchString(code) {
		l.warn(at, "changes", "an async rule does not know what changed: changes() and its like are always false", "test it in the condition")
	}
	if early {
		if by := l.calls(code, map[string]bool{}); by != "" {
			l.warn(at, "call-in-transaction", "a "+when+" rule calls another system while the transaction is open"+by, "fire an event, and call from its script action")
		}
	}
	actions := false
	for _, w := range it.Shape.Flags[0].Words {
		actions = actions || it.Text(w.Field) == "true"
	}
	if !actions {
		l.warn(it.Node, "no-action", it.Title()+" never runs: it has no action", "action: [insert, update]")
	}
}

func (l *linter) event(it *Item) {
	const longest = 40
	if len(it.Name) > longest {
		l.warn(it.place("event_name"), "long-name", "the name has more than 40 characters: the platform would cut it", "")
	}
	if queue := it.Text("queue"); queue != "" && l.queues != nil && !l.queues[queue] {
		l.warn(it.place("queue"), "queue", "the queue "+quoted(queue)+" is not registered", "a file in queues/ registers it")
	}
}

func (l *linter) action(it *Item) {
	l.script(it)
	l.fires(it.place("event_name"), it.Text("event_name"))
}

func (l *linter) include(it *Item) {
	l.script(it)
	if text := it.Text("script"); text != "" && !regexp.MustCompile(`\b`+regexp.QuoteMeta(it.Name)+`\b`).MatchString(text) {
		l.mistake(it.place("script"), "include-name", "the script does not define "+it.Name+", by which it is found", "name class, function and include alike")
	}
}

// fires reports events that nobody has registered.
func (l *linter) fires(at *yamlfile.Node, name string) {
	if l.events == nil || name == "" || l.events[name] {
		return
	}
	var names []string
	for n := range l.events {
		names = append(names, n)
	}
	slices.Sort(names)
	hint := nearTo(name, names)
	if hint == "" {
		hint = "a file in events/ registers it"
	}
	l.warn(at, "event", "the event "+quoted(name)+" is not registered", hint)
}

var (
	ownUpdate   = regexp.MustCompile(`\bcurrent\s*\.\s*update\s*\(`)
	changesCall = regexp.MustCompile(`\bcurrent\s*\.\s*\w+\s*\.\s*changes(From|To)?\s*\(`)
	firing      = regexp.MustCompile(`\bgs\s*\.\s*eventQueue(?:Scheduled)?\s*\(\s*(?:"([^"\n]*)"|'([^'\n]*)')`)
	calling     = regexp.MustCompile(`\b(?:RESTMessageV2|SOAPMessageV2)\b`)
	executing   = regexp.MustCompile(`\.\s*execute\s*\(`)
	password    = regexp.MustCompile(`\bsetBasicAuth\s*\([^,()]*,\s*(?:"[^"\n]+"|'[^'\n]+')|(?i:\b\w*(?:password|passwd|secret|api_?key)\w*\s*[=:]\s*(?:"[^"\n]{4,}"|'[^'\n]{4,}'))`)
)

// script looks at what any script may do wrong.
func (l *linter) script(it *Item) {
	for i := range it.Values {
		v := &it.Values[i]
		if !isScript(v.Field) || v.Value.Empty() || v.At == nil {
			continue
		}
		code := codeOf(v.Value.Text)
		for _, m := range firing.FindAllStringSubmatchIndex(code, -1) {
			name := group(code, m, 1) + group(code, m, 2)
			l.fires(inside(v, code, m[0]), name)
		}
		if m := password.FindStringIndex(code); m != nil {
			l.mistake(inside(v, code, m[0]), "secret", "a secret stands in the script", "put it into credentials/, and name those in the message")
		}
	}
}

func group(text string, m []int, n int) string {
	if m[2*n] < 0 {
		return ""
	}
	return text[m[2*n]:m[2*n+1]]
}

// inside is the place of an offset of a script: its line and column, where the script is a file.
func inside(v *Value, code string, offset int) *yamlfile.Node {
	if !strings.HasSuffix(v.At.File, ".js") {
		return v.At
	}
	before := code[:offset]
	return &yamlfile.Node{File: v.At.File, Line: 1 + strings.Count(before, "\n"), Column: offset - strings.LastIndexByte(before, '\n')}
}

// calls tells whether code waits for another system, itself or by a script include of the project, and by which.
func (l *linter) calls(code string, seen map[string]bool) (by string) {
	if calling.MatchString(code) && executing.MatchString(code) {
		return " (execute)"
	}
	for _, it := range l.project.Items {
		if it.Table.Name != "sys_script_include" || seen[it.Name] || !regexp.MustCompile(`\b`+regexp.QuoteMeta(it.Name)+`\b`).MatchString(code) {
			continue
		}
		seen[it.Name] = true
		if l.calls(codeOf(it.Text("script")), seen) != "" {
			return " (by " + it.Name + ")"
		}
	}
	return ""
}

// codeOf blanks the comments of a script, so that what stands in them is not taken for code. Offsets stay.
func codeOf(script string) string {
	out := []byte(script)
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"' || c == '\'' || c == '`':
			for i++; i < len(out) && out[i] != c; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '/':
			for ; i < len(out) && out[i] != '\n'; i++ {
				out[i] = ' '
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '*':
			end := strings.Index(string(out[i+2:]), "*/")
			if end < 0 {
				end = len(out) - i - 4
			}
			for to := i + end + 4; i < to && i < len(out); i++ {
				if out[i] != '\n' {
					out[i] = ' '
				}
			}
			i--
		}
	}
	return string(out)
}

// mapped holds the target of a field map to the target table.
func (l *linter) mapped(it *Item) {
	l.script(it)
	t := l.catalog.Table(it.Parent.Text("target_table"))
	if t != nil && t.Field(it.Name) == nil {
		l.mistake(it.Node, "field", "table "+t.Name+" has no field "+quoted(it.Name), nearTo(it.Name, t.Names()))
	}
	if it.Text("source_field") == "" && !it.Value("constant").Value.Valid && it.Text("use_source_script") != "true" {
		l.mistake(it.Node, "field", "field "+it.Name+" has neither sourceField nor constant", "")
	}
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// placeholders reports variables that a function uses and does not declare, once it declares any: sent as they stand,
// they are a wrong call.
func (l *linter) placeholders(it *Item) {
	declared := map[string]bool{"idempotency_key": true}
	any := false
	for _, part := range l.project.Items {
		if part.Parent == it && part.Part.Property == "variables" {
			declared[part.Name], any = true, true
		}
	}
	for i := range it.Values {
		v := &it.Values[i]
		for _, m := range placeholder.FindAllStringSubmatch(v.Value.Text, -1) {
			if any && !declared[m[1]] {
				l.warn(it.place(v.Field.Name), "variable", "the variable ${"+m[1]+"} is not declared", "variables: {"+m[1]+": a value to try out}")
			}
		}
	}
}

// address reports passwords in addresses.
func (l *linter) address(it *Item) {
	u, err := url.Parse(it.Text("connection_url"))
	if err != nil || u.User == nil {
		return
	}
	if _, there := u.User.Password(); there {
		l.mistake(it.place("connection_url"), "secret", "a password stands in the address", "put it into credentials/, and name those in credential")
	}
}

// schedule reports one that is over.
func (l *linter) schedule(it *Item) {
	field := "run_end"
	if it.Text("run_type") == string(schedule.Once) {
		field = "run_start"
	}
	if last := it.Text(field); last != "" && it.Text("active") != "false" && last < l.cfg.DB.Now().UTC().Format(record.DateTimeLayout) {
		l.warn(it.place(field), "over", it.Title()+" never runs: its last time has passed", "give it a later one, or take the file away")
	}
}

// header reports secrets in headers.
func (l *linter) header(it *Item) {
	value := it.Text("value")
	if strings.EqualFold(it.Name, "authorization") && value != "" && !placeholder.MatchString(value) {
		l.mistake(it.place("value"), "secret", "a secret stands in the header "+it.Name, "put it into credentials/, and name those in the message")
	}
}
