package importset_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/store/sqlstore"
	"headrace/internal/store/storetest/stores"
)

// The maps that the property test changes between: what one has proven says nothing about another.
var knownMaps = []string{
	serverMap,
	strings.Replace(serverMap, "name: Name", "name: {sourceField: Name}\n  active: {constant: \"false\"}", 1),
	strings.Replace(serverMap, "  cost: Cost\n", "", 1) + "copyEmptyFields: true\n",
	strings.Replace(serverMap, "Installed\n", "{sourceField: Installed, zone: Europe/Berlin}\n", 1) + "onDuplicate: reject\n",
	strings.Replace(serverMap, "coalesce: true", "coalesce: true, coalesceCaseSensitive: true", 1) + "onAmbiguous: first\n",
	strings.Replace(serverMap, "coalesce: true", "coalesce: true, coalesceEmptyFields: true", 1),
	serverMap + "  parent: {sourceField: Name, choiceAction: ignore}\n",
	serverMap + "mode: strict\n",
	serverMap + "createOnEmptyCoalesce: true\n",
	serverMap + "clearValue: server 7\n",
	serverMap + "  site: {sourceField: Installed, choiceAction: ignore}\n",
	serverMap + "  site: {sourceField: Installed}\n",
}

// pair is two servers that are given the same. The second compares every row with its record.
type pair struct {
	t          *testing.T
	both       [2]*fixture
	r          *rand.Rand
	lines      []string // of the feed
	runs       []int64  // that are done
	swapped    bool     // columns
	renamed    bool     // columns, whose cells stay
	log        []string
	unlike     bool
	map_, next int
}

func newPair(t *testing.T, config func(testing.TB) sqlstore.Config, seed uint64) *pair {
	return &pair{t: t, both: [2]*fixture{overSites(t, config(t)), overSites(t, config(t))}, r: rand.New(rand.NewPCG(seed, 5))}
}

// overSites is a fixture whose servers refer to sites: one for every other day of January.
func overSites(t *testing.T, cfg sqlstore.Config) *fixture {
	t.Helper()
	site := record.Table{Name: "site", Label: "Site", Fields: []record.Field{{Name: "name", Label: "Name", Type: record.String, Display: true}}}
	located := servers
	located.Fields = append(slices.Clone(servers.Fields), record.Field{Name: "site", Label: "Site", Type: record.Reference, Reference: "site"})
	f := over(t, cfg, site, located)
	var days strings.Builder
	for day := 1; day <= 28; day += 2 {
		fmt.Fprintf(&days, "2026-01-%02d\n", day)
	}
	f.sites(days.String())
	return f
}

// sites imports sites by their names: by hand, all would count as touched for some minutes.
func (f *fixture) sites(names string) {
	f.t.Helper()
	f.load("Name\n"+names, "name: sites\ntargetTable: site\nfields:\n  name: {sourceField: Name, coalesce: true}\n")
}

func dayOf(day int) []record.Assignment {
	return []record.Assignment{{Field: "name", Value: record.Text(fmt.Sprintf("2026-01-%02d", day))}}
}

func (p *pair) line() string {
	p.next++
	key, cost := fmt.Sprintf("S%d", p.next), p.r.IntN(1000)
	return fmt.Sprintf("%s,server %d,2026-01-%02d,%d", key, p.next, 1+p.r.IntN(28), cost)
}

// mutate changes the feed as a night does.
func (p *pair) mutate() {
	for range p.r.IntN(6) {
		i := p.r.IntN(len(p.lines))
		cells := strings.Split(p.lines[i], ",")
		switch p.r.IntN(14) {
		case 0:
			p.lines = slices.Delete(p.lines, i, i+1)
		case 1:
			p.lines = slices.Insert(p.lines, i, p.line())
		case 2:
			p.lines[i] = strings.Join(append(cells[:len(cells)-1:len(cells)-1], ""), ",")
		case 3:
			p.lines[i] += "x" // no number
		case 4:
			p.lines = slices.Insert(p.lines, p.r.IntN(len(p.lines)), p.lines[i]) // twice
		case 5:
			p.lines = slices.Insert(p.lines, p.r.IntN(len(p.lines)), strings.Replace(strings.ToLower(p.lines[i]), "server", "other", 1))
		case 6:
			p.lines[i] = "," + strings.Join(cells[1:], ",") // no key
		case 7:
			p.lines[i] += ",ragged"
		case 8:
			p.r.Shuffle(len(p.lines), func(i, j int) { p.lines[i], p.lines[j] = p.lines[j], p.lines[i] })
		case 9:
			p.swapped = !p.swapped
		case 10:
			p.renamed = !p.renamed
		default:
			p.lines[i] = strings.Replace(p.lines[i], "server", "srv", 1)
		}
	}
}

// content is the feed as a file; its columns may be the other way round.
func (p *pair) content() string {
	lines := append([]string{"Serial,Name,Installed,Cost"}, p.lines...)
	if p.swapped {
		for i, l := range lines {
			if cells := strings.Split(l, ","); len(cells) == 4 {
				lines[i] = strings.Join([]string{cells[0], cells[3], cells[2], cells[1]}, ",")
			}
		}
	}
	if p.renamed {
		lines[0] = "Serial,Installed,Name,Cost"
	}
	return strings.Join(lines, "\n") + "\n"
}

func (p *pair) load(name string) {
	if m := knownMaps[p.map_]; strings.Contains(m, "createOnEmpty") || strings.Contains(m, "strict") {
		p.lines = append(p.lines, p.line()) // the same bytes write nothing again; other bytes may, by the rows of one key or of none
	}
	content, yaml := p.content(), knownMaps[p.map_]
	var runs [2]*importset.Run
	for i, f := range p.both {
		run, err := f.Import(p.t.Context(), importset.Request{Source: text(name, content), Maps: maps(p.t, yaml), Actor: record.System, Restart: i == 1})
		if err != nil {
			p.t.Fatal(err)
		}
		runs[i] = run
	}
	p.runs = append(p.runs, runs[0].Number)
	p.log = append(p.log, fmt.Sprintf("import %s by map %d: %s", name, p.map_, runs[0].Ledger))
	if runs[0].Ledger != runs[1].Ledger {
		p.differ("the ledger", runs[0].Ledger.String(), runs[1].Ledger.String())
	}
	p.same("staging", func(f *fixture) string { return f.rows(runs[0].Number) })
}

// hand changes a record as people do.
func (p *pair) hand() {
	what, at, other := p.r.IntN(8), p.r.IntN(1000), p.r.IntN(1000)
	p.log = append(p.log, fmt.Sprintf("by hand %d %d %d", what, at, other))
	for _, f := range p.both {
		t, err := f.db.Table("server")
		if err != nil {
			p.t.Fatal(err)
		}
		all := f.records()
		if len(all) == 0 {
			continue
		}
		s, r := f.db.As(record.System), all[at%len(all)]
		set := func(field, text string) []record.Assignment {
			return []record.Assignment{{Field: field, Value: record.Text(text)}}
		}
		switch what {
		case 0:
			_, _, err = s.Update(p.t.Context(), t, r.ID(), set("name", "by hand"))
		case 1:
			_, _, err = s.Update(p.t.Context(), t, r.ID(), set("serial", all[other%len(all)].Get("serial").Text))
		case 2:
			_, err = s.Insert(p.t.Context(), t, append(set("serial", r.Get("serial").Text), set("name", "twin")...))
		case 3:
			err = s.Delete(p.t.Context(), t, r.ID())
		case 4:
			_, _, err = s.Update(p.t.Context(), t, r.ID(), set("active", "false"))
		case 5:
			f.sites(fmt.Sprintf("2026-01-%02d\n", 1+at%28))
		case 6:
			sites := f.all("site")
			_, _, err = s.Update(p.t.Context(), sites[0].Table, sites[at%len(sites)].ID(), dayOf(1+other%28))
		default:
			_, _, err = s.Quiet("quiet").Update(p.t.Context(), t, r.ID(), set("serial", "moved"))
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

func (f *fixture) records() []*record.Record { return f.all("server") }

// all are the records of a table, oldest first: both servers have made them in one order.
func (f *fixture) all(table string) []*record.Record {
	f.t.Helper()
	t, err := f.db.Table(table)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []*record.Record
	for row, err := range f.db.As(record.System).Select(f.t.Context(), &record.Query{Table: t, Fields: t.Names()}) {
		if err != nil {
			f.t.Fatal(err)
		}
		out = append(out, &record.Record{Table: t, Values: slices.Clone(row)})
	}
	slices.SortFunc(out, func(a, b *record.Record) int { return strings.Compare(a.ID(), b.ID()) })
	return out
}

// told is the servers with all that an import has a say in, ids being told by their places.
func (f *fixture) told() string {
	var b strings.Builder
	sites := map[string]int{}
	for i, r := range f.all("site") {
		sites[r.ID()] = i + 1
	}
	for _, r := range f.records() {
		fmt.Fprintf(&b, "%s %s %s %s %s %s %s %d\n", r.Get("serial").Text, r.Get("name").Text, r.Get("installed").Text, r.Get("cost").Text,
			r.Get("active").Text, r.Get(record.SysModCount).Text, r.Get("parent").Text[:min(1, len(r.Get("parent").Text))], sites[r.Get("site").Text])
	}
	return b.String()
}

// rows is what staging shows of a run.
func (f *fixture) rows(run int64) string {
	f.t.Helper()
	places := map[string]int{}
	for i, r := range f.records() {
		places[r.ID()] = i + 1
	}
	var b strings.Builder
	for row, err := range f.Rows(f.t.Context(), run) {
		if err != nil {
			f.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %d %s %v", row.Row, row.Line, row.Fate, row.Cells)
		if row.Reject != nil {
			fmt.Fprintf(&b, " %s %s", row.Reject.Code, row.Reject.Column)
		}
		if row.Target != "" && places[row.Target] > 0 {
			fmt.Fprintf(&b, " record %d", places[row.Target])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (p *pair) same(what string, of func(f *fixture) string) {
	p.t.Helper()
	if a, b := of(p.both[0]), of(p.both[1]); a != b {
		p.differ(what, a, b)
	}
}

func (p *pair) differ(what, a, b string) {
	p.t.Helper()
	p.unlike = true
	p.t.Errorf("%s with what is known:\n%s\nand by comparing:\n%s\nafter:\n%s", what, a, b, strings.Join(p.log, "\n"))
}

// step does one thing to both servers.
func (p *pair) step() {
	switch p.r.IntN(16) {
	case 0, 1:
		p.hand()
	case 3:
		p.map_ = p.r.IntN(len(knownMaps))
	case 4:
		p.mutate()
		p.load("another.csv")
	case 5:
		if n := len(p.runs); n > 0 {
			p.undo(p.runs[n-1])
			p.runs = p.runs[:n-1]
		}
	case 6:
		if n := len(p.runs); n > 2 {
			p.forget(p.runs[n/2])
			p.runs = slices.Delete(p.runs, n/2, n/2+1)
		}
	default:
		p.mutate()
		p.load("servers.csv")
	}
	for _, run := range p.runs[max(0, len(p.runs)-2):] {
		p.same(fmt.Sprintf("run %d", run), func(f *fixture) string { return f.rows(run) })
	}
	p.same("the table", (*fixture).told)
}

func (p *pair) undo(run int64) {
	p.log = append(p.log, fmt.Sprintf("undo %d", run))
	p.same("undo", func(f *fixture) string {
		report, err := f.Undo(p.t.Context(), importset.UndoRequest{Run: run, Actor: record.System})
		if err != nil {
			p.t.Fatal(err)
		}
		return fmt.Sprint(report.Removed, report.Restored, report.Refused)
	})
}

func (p *pair) forget(run int64) {
	p.log = append(p.log, fmt.Sprintf("forget %d", run))
	for _, f := range p.both {
		if err := f.Forget(p.t.Context(), f.setOf(run)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// Whatever is done between imports, what is known of earlier ones changes nothing but the time that they take.
func TestWhatIsKnownComesToTheSameAsComparing(t *testing.T) {
	sequences, steps := uint64(1), 25
	if os.Getenv("HEADRACE_SOAK") != "" {
		sequences, steps = 200, 40
	}
	for kind, config := range stores.Kinds() {
		t.Run(kind, func(t *testing.T) {
			var staged [2]int64
			for seed := range sequences {
				p := newPair(t, config, seed)
				for range 40 {
					p.lines = append(p.lines, p.line())
				}
				p.load("servers.csv")
				for range steps {
					if p.step(); p.unlike {
						t.Fatalf("seed %d", seed)
					}
				}
				for _, run := range p.runs {
					p.same(fmt.Sprintf("run %d", run), func(f *fixture) string { return f.rows(run) })
				}
				for i, f := range p.both {
					staged[i] += f.kept(importset.RowTable)
				}
			}
			if staged[0] >= staged[1]*9/10 {
				t.Errorf("%d rows are staged, and %d where nothing is known: little has been known", staged[0], staged[1])
			}
		})
	}
}

// stopping is a feed in whose reading something is done before its last 200 bytes are there.
func stopping(name, content string, do func() error) importset.Source {
	src := text(name, content)
	cut := len(content) - 200
	src.Open = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(content[:cut]), &doing{do}, strings.NewReader(content[cut:]))), nil
	}
	return src
}

// doing holds nothing; something is done when it is read.
type doing struct{ do func() error }

func (d *doing) Read([]byte) (int, error) {
	if do := d.do; do != nil {
		d.do = nil
		if err := do(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// named changes the name of the server with a key by hand.
func (f *fixture) named(serial, name string) error {
	for _, r := range f.records() {
		if r.Get("serial").Text == serial {
			_, _, err := f.db.As(record.System).Update(f.t.Context(), r.Table, r.ID(), []record.Assignment{{Field: "name", Value: record.Text(name)}})
			return err
		}
	}
	return fmt.Errorf("there is no server %s", serial)
}

// Records that somebody touches while an import is on its way are compared, in blocks of it that come later.
func TestWhatIsTouchedDuringAnImportIsNotTakenForUnchanged(t *testing.T) {
	content, keys := many(3201, "server")
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		f.load(content, serverMap)
		before := f.kept(importset.RowTable)
		written := make(chan bool) // closed when the first block is
		var once sync.Once
		others := func() error {
			select {
			case <-written:
			case <-t.Context().Done():
				return t.Context().Err()
			}
			if err := f.named("S003200", "by hand"); err != nil {
				return err
			}
			another := text("another.csv", "Serial,Name,Installed,Cost\nS003198,another,,\n")
			_, err := f.Import(t.Context(), importset.Request{Source: another, Maps: maps(t, serverMap), Actor: record.System})
			return err
		}
		src := stopping("servers.csv", strings.Replace(content, ",0.50\n", ",10.50\n", 1), others) // of another size: it is read once
		run, err := f.Import(t.Context(), importset.Request{Source: src, Maps: maps(t, serverMap), Actor: record.System,
			Progress: func(*importset.Run) { once.Do(func() { close(written) }) }})
		if err != nil {
			t.Fatal(err)
		}
		if want := (importset.Ledger{Read: 3201, Updated: 3, Unchanged: keys - 3, Skipped: 3201 - keys}); run.Ledger != want {
			t.Errorf("%s, want %s", run.Ledger, want)
		}
		if n := f.kept(importset.RowTable) - before; n > 2500 {
			t.Errorf("%d rows were staged: nothing was known of the first blocks", n)
		}
		n := int64(0)
		for row, err := range f.Rows(t.Context(), run.Number) {
			if err != nil || row.Row != n || row.Line != n+2 || len(row.Cells) != 4 {
				t.Fatalf("row %d: %+v %v", n, row, err)
			}
			n++
		}
		if n != 3201 {
			t.Errorf("%d rows are shown", n)
		}
	})
}

// meddler is a rule on another table, which writes to servers.
type meddler struct{ servers *fixture }

func (*meddler) Sees(t *record.Table) bool                    { return t.Name == "other" }
func (*meddler) Before(context.Context, *record.Change) error { return nil }
func (m *meddler) After(ctx context.Context, c *record.Change) error {
	t := m.servers.db.Catalog().Table("server")
	for row, err := range c.Writer.Tx().Select(ctx, &record.Query{Table: t, Fields: []string{record.SysID}, Where: &query.Term{Field: "serial", Op: query.Equal, Values: []string{"A1"}}}) {
		if err != nil {
			return err
		}
		defer func(id string) {
			_, _, err = c.Writer.Update(ctx, t, id, []record.Assignment{{Field: "name", Value: record.Text("by a rule")}})
		}(row[0].Text)
	}
	return nil
}

// What an import into another table leads to moves no fence of this one, and is found by its change rows.
func TestWhatRulesOfAnotherImportTouchIsCompared(t *testing.T) {
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		rule, now := &meddler{}, time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
		db, err := record.Open(t.Context(), stores.Open(t, cfg), record.Config{Tables: importset.Tables(), Hooks: []record.Hook{rule}, Clock: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		other := servers
		other.Name = "other"
		if _, err := db.Define(t.Context(), record.System, false, servers, other); err != nil {
			t.Fatal(err)
		}
		f := &fixture{t: t, Service: importset.New(db), db: db}
		rule.servers = f
		f.load(monday, serverMap)
		elsewhere := strings.Replace(serverMap, "targetTable: server", "targetTable: other", 1)
		f.load("Serial,Name,Installed,Cost\nO1,other,,1\n", elsewhere)
		tuesday := strings.Replace(monday, "beta", "BETA", 1)
		f.wantLedger(f.load(tuesday, serverMap), "6 = 0 inserted + 2 updated + 0 unchanged + 2 skipped + 2 rejected")
		f.load("Serial,Name,Installed,Cost\nO1,other,,2\n", elsewhere)
		f.wantLedger(f.load(tuesday, serverMap), "6 = 0 inserted + 1 updated + 1 unchanged + 2 skipped + 2 rejected")
		halved := f.load("Serial,Name,Installed,Cost\nO2,other,,half\n", elsewhere)
		now = now.Add(time.Hour)
		f.load(monday, serverMap)
		terms := generous(importset.DeactivateAbsent)
		terms.AllowRejected = true
		report, err := f.Absent(t.Context(), importset.AbsentRequest{Run: halved.Number, Terms: terms, Actor: record.System})
		if err != nil || report.Deactivated != 1 {
			t.Fatalf("%+v %v", report, err)
		}
		f.wantLedger(f.load(tuesday, serverMap), "6 = 0 inserted + 2 updated + 0 unchanged + 2 skipped + 2 rejected")
	})
}

// A rule may keep something else than the row says: then the same row is no proof, and neither is the same file.
func TestNothingIsKnownOfRecordsThatRulesHaveSeen(t *testing.T) {
	db, err := record.Open(t.Context(), stores.Open(t, stores.SQLite(t)), record.Config{Tables: importset.Tables(), Hooks: []record.Hook{&upper{}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Define(t.Context(), record.System, false, servers); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, Service: importset.New(db), db: db}
	const want = "6 = 0 inserted + 2 updated + 0 unchanged + 2 skipped + 2 rejected"
	f.load(monday, serverMap)
	f.wantLedger(f.load(monday, serverMap), want)
	f.wantLedger(f.load(monday+"\n", serverMap), want)
}

// What one map has proven says nothing about another, however little they differ.
func TestAnEditedMapComparesEveryRow(t *testing.T) {
	for name, yaml := range map[string]string{
		"clear value": serverMap + "clearValue: alpha\ncopyEmptyFields: false\n",
		"date format": strings.Replace(serverMap, "installed: Installed", "installed: {sourceField: Installed, dateFormat: yyyy-dd-MM}", 1),
		"other field": strings.Replace(serverMap, "name: Name", "name: Installed", 1),
		"constant":    serverMap + "  active: {constant: \"false\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, servers)
			f.load(monday, serverMap)
			if run := f.load(monday, yaml); run.Ledger.Updated == 0 {
				t.Errorf("%s", run.Ledger)
			}
		})
	}
}

// An import that rests on another and is cut off goes on where it stopped, and comes to the same.
func TestAnImportThatRestsOnAnotherIsResumed(t *testing.T) {
	content, keys := many(3201, "server")
	changed := strings.Replace(content, ",0.50\n", ",1.50\n", 1)
	stores.Each(t, func(t *testing.T, cfg sqlstore.Config) {
		f := over(t, cfg, servers)
		f.load(content, serverMap)
		f.half(changed[:len(changed)*2/3], serverMap)
		run := f.load(changed, serverMap)
		if want := (importset.Ledger{Read: 3201, Updated: 1, Unchanged: keys - 1, Skipped: 3201 - keys}); run.Ledger != want || run.Resumed == 0 {
			t.Errorf("%s, want %s; resumed after %d rows", run.Ledger, want, run.Resumed)
		}
		n := int64(0)
		for row, err := range f.RowsFrom(t.Context(), run.Number, 100) {
			if err != nil || row.Row != n+100 || len(row.Cells) != 4 {
				t.Fatalf("row %d: %+v %v", n, row, err)
			}
			n++
		}
		if n != 3101 {
			t.Errorf("%d rows are shown", n)
		}
	})
}

func TestWhatARunningImportRestsOnIsNotForgotten(t *testing.T) {
	f := open(t, servers)
	first := f.setOf(f.load(monday, serverMap).Number)
	var refused error
	run, err := f.Import(t.Context(), importset.Request{Source: text("servers.csv", monday+"A9,new,,\n"), Maps: maps(t, serverMap), Actor: record.System,
		Began: func(*importset.Run) { refused = f.Forget(t.Context(), first) }})
	if err != nil {
		t.Fatal(err)
	}
	if fault.KindOf(refused) != fault.Refused || fault.HintOf(refused) == "" {
		t.Errorf("it was forgotten: %v", refused)
	}
	before := f.rows(run.Number)
	if err := f.Forget(t.Context(), first); err != nil || f.rows(run.Number) != before {
		t.Errorf("%v; the rows are\n%s\nand were\n%s", err, f.rows(run.Number), before)
	}
}

// What a map refers to has a say in its rows: they are known while nobody touches it.
func TestRowsWithReferencesAreKnownWhileWhatTheyReferToStays(t *testing.T) {
	f := overSites(t, stores.SQLite(t))
	yaml := serverMap + "  site: {sourceField: Installed, choiceAction: ignore}\n"
	var staged []int64
	night := func(name string) {
		before := f.kept(importset.RowTable)
		f.load(strings.Replace(monday, "beta", name, 1), yaml)
		staged = append(staged, f.kept(importset.RowTable)-before)
	}
	night("one")
	night("two")
	f.sites("2026-01-02\n")
	night("three")
	night("four")
	if _, err := f.db.As(record.System).Insert(t.Context(), f.db.Catalog().Table("site"), dayOf(3)); err != nil {
		t.Fatal(err)
	}
	night("five")
	if want := []int64{6, 5, 6, 5, 6}; !slices.Equal(staged, want) {
		t.Errorf("the nights stage %v rows, want %v", staged, want)
	}
}

func TestAbsentRecordsLeaveWhatIsKnown(t *testing.T) {
	eachAbsent(t, nil, func(t *testing.T, f *absent) {
		nightly := func(gone int) int64 {
			before := f.kept(importset.RowTable)
			f.must(f.night(without(40, gone)).Number, generous(importset.DeleteAbsent))
			return f.kept(importset.RowTable) - before
		}
		if staged := []int64{nightly(0), nightly(1), nightly(2), nightly(3)}; !slices.Equal(staged, []int64{40, 0, 0, 0}) || f.servers() != 37 {
			t.Errorf("the nights stage %d rows; %d servers are left", staged, f.servers())
		}
	})
}
