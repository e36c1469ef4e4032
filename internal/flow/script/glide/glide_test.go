package glide_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/script"
	"headrace/internal/flow/script/glide"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

var present = time.Date(2026, 3, 10, 12, 34, 56, 0, time.UTC)

type world struct {
	db      *record.DB
	library *glide.Library
	engine  *script.Engine
}

func open(t testing.TB, cfg sqlstore.Config) *world {
	t.Helper()
	properties := record.Table{Name: "sys_properties", Fields: []record.Field{{Name: "name", Type: record.String}, {Name: "value", Type: record.String}}}
	db, err := record.Open(context.Background(), stores.Open(t, cfg), record.Config{Tables: append(glide.Tables(), properties)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db: db}
	clock := func() time.Time { return present }
	w.library = glide.New(glide.Config{DB: db, Clock: clock})
	w.engine = script.New(script.Config{DB: db, Clock: clock, Modules: []script.Module{w.library}, Limits: script.Limits{Time: 5 * time.Second}})
	w.engine.LogTo(w.library.Record)
	return w
}

func (w *world) run(t testing.TB, env script.Env, text string) (string, error) {
	t.Helper()
	env.Session = w.db.As(record.System)
	s, err := w.engine.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.Run(script.Source{Name: "test", Text: text})
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

func (w *world) logged(t testing.TB) []string {
	t.Helper()
	if err := w.library.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	q := &record.Query{Table: w.db.Catalog().Table(glide.LogTable), Fields: []string{"level", "message", "source", "trace", "sys_created_by"}, OrderBy: []query.Order{{Field: record.SysID}}}
	for row, err := range w.db.As(record.System).Select(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range row {
			texts = append(texts, v.Text)
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	return lines
}

func TestWhatScriptsLogIsKeptEvenWhenTheirWritesAreUndone(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		w := open(t, cfg)
		err := w.db.As(record.System).Write(t.Context(), func(writer *record.Writer) error {
			_, err := w.run(t, script.Env{Writer: writer, Trace: "t1"}, "gs.info('one {0}', 1); gs.log('two', 'mine'); gs.print('not kept'); gs.debug('nor this'); throw new Error('undo')")
			return err
		})
		if err == nil {
			t.Fatal("the script did not fail")
		}
		got := strings.Join(w.logged(t), "\n")
		if want := "0|one 1|test|t1|system\n0|two|mine|t1|system"; got != want {
			t.Errorf("logged\n%s\nwant\n%s", got, want)
		}
	})
}

func TestTheLogIsWrittenWhenItsKeeperStops(t *testing.T) {
	w := open(t, stores.SQLite(t))
	ctx, stop := context.WithCancel(t.Context())
	kept := make(chan error)
	go func() { kept <- w.library.Keep(ctx) }()
	if _, err := w.run(t, script.Env{}, "gs.error('last words')"); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	if got := w.logged(t); len(got) != 1 || got[0] != "2|last words|test||system" {
		t.Errorf("logged %q", got)
	}
}

func TestAScriptThatLogsTooMuchLosesTheOldestAndSaysSo(t *testing.T) {
	w := open(t, stores.SQLite(t))
	if _, err := w.run(t, script.Env{}, "for (var i = 0; i < 20010; i++) gs.info(i); gs.info(new Array(70000).join('x'))"); err != nil {
		t.Fatal(err)
	}
	got := w.logged(t)
	if n := len(got); n != 20001 || !strings.HasPrefix(got[n-1], "1|11 log entries were lost") || !strings.HasPrefix(got[0], "0|11|") {
		t.Errorf("%d entries, first %.40q, last %.60q", n, got[0], got[n-1])
	}
	if length := len(got[20000-1]); length > 70000 {
		t.Errorf("a message of %d bytes is kept", length)
	}
}

func TestScriptsMayUseTheLibrarysNamesForTheirOwn(t *testing.T) {
	w := open(t, stores.SQLite(t))
	for _, c := range []struct{ text, want string }{
		{"var ArrayUtil = 5; ArrayUtil", "5"},
		{"function JSUtil() { return 1; } JSUtil()", "1"},
		{"class GlideDate { x() { return 2; } } new GlideDate().x()", "2"},
		{"const j2js = 3; j2js", "3"},
		{"gs.mine = 4; gs.info = function () { return 'own'; }; gs.info() + gs.mine", "own4"},
		{"ArrayUtil.prototype.first = function (a) { return a[0]; }; new ArrayUtil().first([7])", "7"},
		{"GlideDateTime.prototype.year = function () { return this.getYearUTC(); }; new GlideDateTime().year()", "2026"},
		{"var n = []; for (var k in new GlideDateTime()) n.push(k); n.length", "0"},
		{"class Mine extends GlideDateTime { twice() { return this.getYearUTC() * 2; } } new Mine().twice()", "4052"},
		{"typeof gs.noSuchThing", "undefined"},
		{"JSON = {parse: function () { return 'mine'; }}; JSON.parse()", "mine"},
	} {
		got, err := w.run(t, script.Env{}, c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestHostileArgumentsAreAnsweredOrThrown(t *testing.T) {
	w := open(t, stores.SQLite(t))
	for _, text := range []string{
		"new GlideDateTime({}); new GlideDateTime([]); new GlideDateTime(NaN).getValue()",
		"GlideDateTime.prototype.getValue.call({})",
		"var g = new GlideDateTime(); g.addDaysUTC(1e300); g.addSeconds(-1e300); g.add(Infinity); g.getValue()",
		"new GlideDuration('99999 99:99:99').add(new GlideDuration(1e300)).getDisplayValue()",
		"new GlideDateTime().getByFormat(\"''''yyyy'\")",
		"new GlideDateTime().getByFormat(new Array(10000).join('y'))",
		"new GlideDateTime().setDisplayValue('x', '')",
		"gs.base64Decode('%%%')",
		"gs.urlDecode('%')",
		"gs.getMessage('{0} {9} {', [1])",
		"new XMLHelper().toXMLStr((function () { var a = {}; a.a = a; return a; })())",
		"var d = new XMLDocument2(); d.parseXML('<a/>'); d.getNodeText('//*[')",
		"var d = new XMLDocument2(); d.parseXML('<a/>'); d.setCurrentElement({}); d.createElement('b').toString()",
		"new ArrayUtil().unique(null)",
		"new GlideSysAttachment().write({}, 'n', 't', 'x')",
		"gs.daysAgo(1e18)",
		"gs.dateGenerate('', '')",
		"gs.include('nope')",
		"JSUtil.describeObject((function () { var a = {}; a.a = a; return a; })())",
	} {
		_, err := w.run(t, script.Env{}, "try { "+text+" } catch (e) { '' + e.message }")
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func BenchmarkBind(b *testing.B) {
	w := open(b, stores.SQLite(b))
	env := script.Env{Session: w.db.As(record.System)}
	for b.Loop() {
		s, err := w.engine.Open(b.Context(), env)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}
