package script_test

import (
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

var people = record.Table{Name: "person", Label: "Person", Fields: []record.Field{
	{Name: "name", Label: "Name", Type: record.String, Display: true},
	{Name: "age", Label: "Age", Type: record.Integer},
	{Name: "active", Label: "Active", Type: record.Boolean, Default: "true"},
	{Name: "boss", Label: "Boss", Type: record.Reference, Reference: "person"},
	{Name: "born", Label: "Born", Type: record.Date},
	{Name: "state", Label: "State", Type: record.Choice, Choices: []record.Option{{Value: "1", Label: "New"}, {Value: "2", Label: "Old"}}},
}}

type world struct {
	t *testing.T
	*script.Engine
	db *record.DB
}

func open(t *testing.T, cfg sqlstore.Config, limits script.Limits) *world {
	t.Helper()
	db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: append(script.Tables(), people)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db}
	w.Engine = script.New(script.Config{DB: db, Limits: limits})
	return w
}

// scope opens a scope outside of any transaction.
func (w *world) scope(env script.Env) *script.Scope {
	w.t.Helper()
	if env.Session == (record.Session{}) {
		env.Session = w.db.As(record.System)
	}
	s, err := w.Open(w.t.Context(), env)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) eval(s *script.Scope, text string) string {
	w.t.Helper()
	v, err := s.Run(script.Source{Name: "test", Text: text})
	if err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
	return v.String()
}

// seed makes three people: ada, bob who works for ada, and cy who works for bob.
const seed = `
var ids = {};
['ada', 'bob', 'cy'].forEach(function (name, i) {
	var gr = new GlideRecord('person');
	gr.initialize();
	gr.name = name;
	gr.age = 30 + i;
	if (name == 'bob') { gr.boss = ids.ada; gr.active = false; }
	if (name == 'cy') { gr.boss = ids.bob; gr.state = 2; }
	ids[name] = gr.insert();
});
function names(gr) { var out = []; while (gr.next()) out.push(gr.name + ''); return out.join(); }
`

func TestRecordsAsScriptsKnowThem(t *testing.T) {
	cases := []struct{ text, want string }{
		{`var gr = new GlideRecord('person'); gr.orderBy('name'); gr.query(); names(gr)`, "ada,bob,cy"},
		{`var gr = new GlideRecord('person'); gr.orderByDesc('age'); gr.setLimit(2); gr.query(); names(gr)`, "cy,bob"},
		{`var gr = new GlideRecord('person'); gr.addQuery('age', '>', 30); gr.orderBy('age'); gr.query(); names(gr)`, "bob,cy"},
		{`var gr = new GlideRecord('person'); gr.addQuery('name', 'IN', ['ada', 'cy']); gr.orderBy('age'); gr.query(); names(gr)`, "ada,cy"},
		{`var gr = new GlideRecord('person'); gr.addQuery('name', 'ada').addOrCondition('name', 'cy'); gr.orderBy('age'); gr.query(); names(gr)`, "ada,cy"},
		{`var gr = new GlideRecord('person'); gr.addEncodedQuery('active=true^ORDERBYDESCname'); gr.query(); names(gr)`, "cy,ada"},
		{`var gr = new GlideRecord('person'); gr.addQuery('boss.name', 'ada'); gr.query(); names(gr)`, "bob"},
		{`var gr = new GlideRecord('person'); gr.addQuery('nosuch', 'x'); gr.query(); names(gr)`, ""},
		{`var gr = new GlideRecord('person'); gr.addJoinQuery('person', 'sys_id', 'boss'); gr.orderBy('name'); gr.query(); names(gr)`, "ada,bob"},
		{`var gr = new GlideRecord('person'); gr.get(ids.cy); gr.boss.boss.name + ''`, "ada"},
		{`var gr = new GlideRecord('person'); gr.get('cy'); gr.getDisplayValue('boss') + gr.state.getDisplayValue()`, "bobOld"},
		{`var gr = new GlideRecord('person'); gr.get('name', 'bob'); [gr.active + '', gr.getValue('active'), gr.getValue('born'), typeof gr.active].join()`, "false,0,,object"},
		{`var gr = new GlideRecord('person'); gr.get('bob'); var n = 0; if (gr.active) n = 1; if (!gr.active) n += 2; if (gr.born) n += 4; if (gr.name) n += 8; n`, "10"},
		{`var gr = new GlideRecord('person'); gr.get('bob'); (gr.born || 'none') + (gr.name && 'some') + (gr.active ? 1 : 2)`, "nonesome2"},
		{`var gr = new GlideRecord('person'); gr.get('ada'); [gr.name == 'ada', gr.name === 'ada', gr.age > 29, gr.name.indexOf('d'), gr.name.toUpperCase(), gr.name.length].join()`, "true,false,true,1,ADA,3"},
		{`var gr = new GlideRecord('person'); gr.get('ada'); typeof gr.born.indexOf`, "undefined"},
		{`var gr = new GlideRecord('person'); gr.query(); var all = []; while (gr.next()) all.push(gr.name); all.join() == [gr.name, gr.name, gr.name].join()`, "true"},
		{`var gr = new GlideRecord('person'); gr.get('ada'); gr.age = 99; var id = gr.update(); var again = new GlideRecord('person'); again.get(id); again.getValue('age')`, "99"},
		{`var gr = new GlideRecord('person'); gr.name = 'new'; gr.update(); var n = new GlideRecord('person'); n.addQuery('name', 'new'); n.query(); n.getRowCount()`, "1"},
		{`var gr = new GlideRecord('person'); gr.setValue('born', 'no date'); gr.insert() + (gr.getLastErrorMessage() ? '!' : '')`, "null!"},
		{`var gr = new GlideRecord('person'); gr.addQuery('active', true); gr.setValue('age', 1); gr.updateMultiple(); var n = new GlideRecord('person'); n.addQuery('age', 1); n.query(); n.getRowCount()`, "2"},
		{`var gr = new GlideRecord('person'); gr.addQuery('name', 'bob'); gr.deleteMultiple(); var n = new GlideRecord('person'); n.query(); n.getRowCount()`, "2"},
		{`var gr = new GlideRecord('person'); gr.get('bob'); gr.deleteRecord(); gr.get('bob')`, "false"},
		{`var gr = new GlideRecord('nosuch'); gr.query(); gr.isValid() + ',' + gr.next()`, "false,false"},
		{`var gr = new GlideRecord('person'); gr.isValidField('age') + ',' + gr.isValidField('x')`, "true,false"},
		{`var gr = new GlideRecord('person'); gr.newRecord(); [gr.isNewRecord(), gr.active + '', gr.getUniqueValue().length].join()`, "true,true,32"},
		{`var gr = new GlideRecord('person'); gr.setNewGuidValue('0123456789abcdef0123456789abcdef'); gr.name = 'x'; gr.insert()`, "0123456789abcdef0123456789abcdef"},
		{`var gr = new GlideRecord('person'); gr.get('ada'); gr.changes() + ',' + (gr.age = 5, gr.age.changes()) + ',' + gr.age.changesFrom(30) + ',' + gr.age.changesTo(5)`, "false,true,true,true"},
		{`var gr = new GlideRecord('person'); gr.get('cy'); gr.boss.getRefRecord().name + gr.boss.getReferenceTable()`, "bobperson"},
		{`var gr = new GlideRecord('person'); gr.setDisplayValue('boss', 'cy'); gr.boss == ids.cy`, "true"},
		{`var gr = new GlideRecord('person'); gr.get('ada'); gr.setWorkflow(false); gr.age = 7; gr.update() == ids.ada`, "true"},
		{`var a = new GlideAggregate('person'); a.addAggregate('COUNT'); a.addAggregate('MAX', 'age'); a.query(); a.next(); a.getAggregate('COUNT') + ',' + a.getAggregate('MAX', 'age')`, "3,32"},
		{`var a = new GlideAggregate('person'); a.addAggregate('COUNT'); a.groupBy('active'); a.query(); var out = []; while (a.next()) out.push(a.active + ':' + a.getAggregate('COUNT')); out.join()`, "false:1,true:2"},
		{`var a = new GlideAggregate('person'); a.addAggregate('COUNT'); a.groupBy('active'); a.addHaving('COUNT', '', '>', 1); a.query(); a.getRowCount()`, "1"},
		{`[1, 2, 3].filter(function (n) { return n > 1; }).join() + Boolean('') + [0].some(function (n) { return n; })`, "2,3falsefalse"},
		{`var gr = new GlideRecord('person'); gr.get('bob'); [gr.active].filter(function (e) { return e; }).length + ',' + Boolean(gr.active)`, "0,false"},
		{`try { throw new Error('x'); } catch (e) { e.getMessage() }`, "x"},
		{`gr instanceof GlideRecord`, "true"},
		{`var gr = new GlideRecordSecure('person'); gr.query(); gr.getRowCount()`, "3"},
	}
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, script.Limits{})
		for _, c := range cases {
			err := w.db.As(record.System).Write(t.Context(), func(rw *record.Writer) error {
				s, err := w.Open(t.Context(), script.Env{Session: w.db.As(record.System), Writer: rw})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				s.Set("gr", nil)
				w.eval(s, seed+"var gr = new GlideRecord('person');")
				if got := w.eval(s, c.text); got != c.want {
					t.Errorf("%s: %s, want %s", c.text, got, c.want)
				}
				return fault.New(fault.Canceled, "undone")
			})
			if fault.KindOf(err) != fault.Canceled {
				t.Fatal(err)
			}
		}
	})
}

// A loop that changes what it goes over meets every record once, however many there are.
func TestLoopsMayChangeWhatTheyGoOver(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, script.Limits{})
		s := w.scope(script.Env{})
		got := w.eval(s, `
			for (var i = 0; i < 230; i++) { var gr = new GlideRecord('person'); gr.name = 'p' + i; gr.insert(); }
			var met = 0, gr = new GlideRecord('person'); gr.addActiveQuery(); gr.query();
			while (gr.next()) { met++; gr.active = false; gr.update(); }
			var left = new GlideRecord('person'); left.addActiveQuery(); left.query(); met + ',' + gr.getRowCount() + ',' + left.getRowCount()`)
		if got != "230,230,0" {
			t.Error(got)
		}
	})
}

func TestLoopsMeetEachRecordOnceInOrderWhateverTheyDelete(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, script.Limits{})
		err := w.db.As(record.System).Write(t.Context(), func(rw *record.Writer) error {
			s := w.scope(script.Env{Writer: rw})
			got := w.eval(s, `
			for (var i = 0; i < 230; i++) { var gr = new GlideRecord('person'); gr.name = 'p'; gr.age = i % 7; gr.insert(); }
			var met = {}, n = 0, last = -1, sorted = true, gr = new GlideRecord('person'); gr.orderBy('age'); gr.setLimit(225); gr.query();
			while (gr.next()) {
				n++; met[gr.getUniqueValue()] = 1; sorted = sorted && last <= Number(gr.age); last = Number(gr.age);
				gr.age = -1; gr.update();
				var more = new GlideRecord('person'); more.name = 'more'; more.insert();
			}
			[n, Object.keys(met).length, sorted, gr.getRowCount()].join()`)
			if got != "225,225,true,225" {
				t.Error(got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestAScriptMayDeclareTheSameAgainInOneScope(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{})
	s := w.scope(script.Env{})
	text := "const a = 1; let b = 2; class C { sum() { return a + b; } } if (true) { function inBlock() { return 4; } } new C().sum() + inBlock()"
	for range 2 {
		if got := w.eval(s, text); got != "7" {
			t.Error(got)
		}
	}
}

func TestARefusedWriteLeavesTheTransactionAlive(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg, script.Limits{})
		err := w.db.As(record.System).Write(t.Context(), func(rw *record.Writer) error {
			s := w.scope(script.Env{Session: w.db.As(record.System), Writer: rw})
			got := w.eval(s, seed+`var gr = new GlideRecord('person'); gr.setNewGuidValue(ids.ada); gr.name = 'twice'; var a = gr.insert(); gr = new GlideRecord('person'); gr.query(); a + ',' + gr.getRowCount()`)
			if got != "null,3" {
				t.Error(got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestErrorsNameScriptLineAndWhatWasThrown(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{})
	cases := []struct{ text, want string }{
		{"var a = 1;\nnothing.there();", "test:2:1: ReferenceError: nothing is not defined"},
		{"\n\nthrow new Error('own');", "test:3:7: Error: own"},
		{"throw 'text'", "test:1:1: text"},
		{"var a = ;", "test:1:9: Unexpected token ;"},
		{"function f() {\n null.x }\nif (true) f();", "test:2:"},
	}
	for _, c := range cases {
		_, err := w.scope(script.Env{}).Run(script.Source{Name: "test", Text: c.text})
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

func TestScriptsAreBounded(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{Time: 200 * time.Millisecond, Depth: 100, Memory: 64 << 20})
	cases := []struct{ text, want string }{
		{"while (true) {}", "longer than 200ms"},
		{"function f() { return f() + 1; } f()", "deeper than 100"},
		{"'x'.repeat(1e9)", "64 million"},
		{"var a = []; while (true) a.push('some text ' + a.length);", "test"},
	}
	for _, c := range cases {
		s := w.scope(script.Env{})
		_, err := s.Run(script.Source{Name: "test", Text: c.text})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
		if got := w.eval(s, "1 + 1"); got != "2" { // the scope lives on
			t.Errorf("%s", got)
		}
	}
}

func TestNothingLeaksFromScopeToScope(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{})
	w.eval(w.scope(script.Env{}), "var mine = 1; Array.prototype.more = 1; GlideRecord.prototype.next = null;")
	if got := w.eval(w.scope(script.Env{}), "typeof mine + typeof [].more + typeof GlideRecord.prototype.next"); got != "undefinedundefinedfunction" {
		t.Error(got)
	}
}

func TestScriptIncludesAreFoundByName(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{})
	for name, text := range map[string]string{
		"twice": "function twice(n) { return 2 * one(n); }", "one": "function one(n) { return n; }",
		"Counter": "var Counter = function () { this.n = 0; }; Counter.prototype.up = function () { return ++this.n; };",
	} {
		_, err := w.db.As(record.System).Insert(t.Context(), w.db.Catalog().Table(script.IncludeTable), []record.Assignment{
			{Field: "name", Value: record.Text(name)}, {Field: "script", Value: record.Text(text)}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := w.eval(w.scope(script.Env{}), "var c = new Counter(); c.up(); twice(c.up()) + typeof nosuch"); got != "4undefined" {
		t.Error(got)
	}
}

func TestCurrentIsLiveOverTheRecordBeingWritten(t *testing.T) {
	w := open(t, stores.SQLite(t), script.Limits{})
	s := w.scope(script.Env{})
	tab := w.db.Catalog().Table("person")
	old, now := record.NewRecord(tab), record.NewRecord(tab)
	old.Set("age", record.Text("1"))
	now.Set("age", record.Text("2"))
	aborted := false
	s.Set("current", s.Record(now, script.RecordOptions{Old: old, Operation: "update", Abort: &aborted}).Object())
	got := w.eval(s, "current.name = 'set'; var was = current.age.changesFrom('1') + current.operation(); current.setAbortAction(true); was")
	if got != "trueupdate" || now.Get("name").Text != "set" || !aborted {
		t.Errorf("%s %s %v", got, now.Get("name").Text, aborted)
	}
	if _, err := s.Run(script.Source{Name: "test", Text: "current.born = 'never'"}); err == nil {
		t.Error("a text that is no date is taken")
	}
}

func BenchmarkOpenAndRun(b *testing.B) {
	db, err := record.Open(b.Context(), stores.Open(b, stores.SQLite(b)), record.Config{Tables: append(script.Tables(), people)})
	if err != nil {
		b.Fatal(err)
	}
	e := script.New(script.Config{DB: db})
	for b.Loop() {
		s, err := e.Open(b.Context(), script.Env{Session: db.As(record.System)})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Run(script.Source{Name: "test", Text: "1 + 1"}); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

func BenchmarkRunInOneScope(b *testing.B) {
	db, err := record.Open(b.Context(), stores.Open(b, stores.SQLite(b)), record.Config{Tables: append(script.Tables(), people)})
	if err != nil {
		b.Fatal(err)
	}
	s, err := script.New(script.Config{DB: db}).Open(b.Context(), script.Env{Session: db.As(record.System)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := record.NewRecord(db.Catalog().Table("person"))
	r.Set("name", record.Text("ada"))
	s.Set("source", s.Record(r, script.RecordOptions{}).Object())
	src := script.Source{Name: "test", Text: "answer = source.name.toUpperCase()"}
	for b.Loop() {
		if _, err := s.Run(src); err != nil {
			b.Fatal(err)
		}
	}
}
