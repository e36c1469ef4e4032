package cli_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

const assetMap = `name: assets
targetTable: asset
fields:
  tag: {sourceField: Tag, coalesce: true}
  name: Name
  purchased: Purchased
  cost: Cost
`

func (h *home) makeAssets(t testing.TB) {
	t.Helper()
	h.write(t, "map.yaml", []byte(assetMap))
	h.must(t, 0, "table", "create", "asset", "--field", "tag:string:unique", "--field", "name:string", "--field", "purchased:date", "--field", "cost:decimal")
}

// assetRows are the rows of the delivery that is killed. They are wide, so that a batch, which ends by its bytes, holds
// about a third of them, and a fifth in the long form.
var assetRows = short(18_000, 30_000)

// assetFile writes a delivery of assets. Of twenty rows of the second one, eight are as in the first, four changed, six
// new, one has the key of a row far before it, and one a date that is none.
func assetFile(second bool) (content []byte, want [6]int64) {
	var b bytes.Buffer
	b.WriteString("Tag,Name,Purchased,Cost,Remark\n")
	for i := range assetRows {
		kind, key, date, cost := i%20, i, fmt.Sprintf("2026-%02d-%02d", i%12+1, i%28+1), fmt.Sprintf("%d.%d", i%9000+1, i%9+1)
		fate := 3
		switch {
		case !second && kind >= 12:
			continue
		case !second:
			fate = 1
		case kind < 8:
		case kind < 12:
			cost, fate = cost+"5", 2
		case kind < 18:
			fate = 1
		case kind == 18:
			key, fate = i/40*20, 4
		default:
			date, fate = "03.11.2026", 5
		}
		want[0]++
		want[fate]++
		fmt.Fprintf(&b, "A%08X,\"server %d, rack %d\",%s,%s,\"%s\"\n", uint32(key)*2654435761, i, i%400, date, cost, strings.Repeat(fmt.Sprintf("%d \"\"remark\"\" ", i), 60))
	}
	return b.Bytes(), want
}

// content is a digest of all business fields of all assets in the order of their keys. It fails when a key is there
// twice.
func (h *home) content(t testing.TB) string {
	t.Helper()
	e := h.must(t, 0, "record", "list", "asset", "--fields", "tag,name,purchased,cost", "--query", "ORDERBYtag", "--limit", "0", "-o", "csv")
	before := ""
	for n, line := range strings.Split(strings.TrimSpace(string(e.stdout)), "\n")[1:] {
		tag, _, _ := strings.Cut(line, ",")
		if n > 0 && strings.ToLower(tag) <= before {
			t.Fatalf("key %s is there twice, or out of order after %s", tag, before)
		}
		before = strings.ToLower(tag)
	}
	sum := sha256.Sum256(e.stdout)
	return hex.EncodeToString(sum[:])
}

// staging is a digest of the staging rows of a run and their fates, without the ids of the records. It fails unless the
// rows are those that the ledger counts, each there once.
func (h *home) staging(t testing.TB, r *runJSON) string {
	t.Helper()
	in, sum := csv.NewReader(h.printed(t, "run", "rows", strconv.FormatInt(r.Run, 10), "-o", "csv")), sha256.New()
	in.ReuseRecord = true
	rows := bufio.NewWriter(sum)
	counts, last := map[string]int64{}, int64(0)
	for n := 0; ; n++ {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		row[4] = "" // target
		for _, field := range row {
			rows.WriteString(field)
			rows.WriteByte(0)
		}
		if n == 0 {
			continue
		}
		line, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil || line <= last {
			t.Fatalf("staging row of line %q follows that of line %d", row[0], last)
		}
		last = line
		counts["read"]++
		counts[row[1]]++
	}
	got := [6]int64{counts["read"], counts["inserted"], counts["updated"], counts["unchanged"], counts["skipped"], counts["rejected"]}
	if got != r.fates() {
		t.Fatalf("run %d: staging holds %v, the ledger says %v", r.Run, got, r.fates())
	}
	rows.Flush() // a digest takes all
	return hex.EncodeToString(sum.Sum(nil))
}

// killer kills processes at random moments.
type killer struct {
	*home
	t       testing.TB
	dice    *rand.Rand
	kills   int                      // so far
	quota   map[string]int           // how many kills each verb has still to bear
	took    map[string]time.Duration // the shortest time that each verb has taken for the whole of its work
	left    int64                    // rows that the last kill left done
	between int                      // how many of them left a run with some of its batches
}

func newKiller(t testing.TB, h *home) *killer {
	t.Helper()
	return &killer{home: h, t: t, dice: rand.New(rand.NewPCG(seedOf(t), uint64(len(h.name))))}
}

// seedOf draws a seed and tells it, or takes the one given.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("HEADRACE_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HEADRACE_SEED=%d", seed)
	return seed
}

// attempt runs the program and kills it at a random moment of the time that the work left should take, the first instants
// left out: then it has not opened its store. It reports whether it was killed.
func (k *killer) attempt(left float64, args ...string) (*ended, bool) {
	p, whole := k.start(k.t, args...), k.took[args[0]]
	moment := whole/10 + time.Duration(k.dice.Float64()*left*0.8*float64(whole))
	timer := time.AfterFunc(moment, func() {
		if err := p.cmd.Process.Kill(); err != nil && err != os.ErrProcessDone {
			k.t.Error(err)
		}
	})
	e := p.end()
	timer.Stop()
	switch {
	case e.code < 0:
		k.kills++
		k.quota[args[0]]--
	case left == 1:
		k.took[args[0]] = min(whole, e.took)
	}
	return e, e.code < 0
}

// mostKills is how often one piece of work is killed before it may end in peace.
const mostKills = 10

// importing runs an import until it ends, killing it now and then, and gives the run. before is the run that was the
// newest when it was first given.
func (k *killer) importing(before int64, args ...string) *runJSON {
	k.t.Helper()
	k.left = 0
	for range min(k.quota[args[0]], mostKills) {
		e, killed := k.attempt(1-float64(k.left)/float64(assetRows), args...)
		if !killed {
			return k.resumes(e, before)
		}
		r := k.half(before)
		if r.State == "done" {
			return r // killed between the end of its work and its own
		}
		k.left = r.Read
		if r.Run == before {
			k.left = 0
		}
	}
	return k.resumes(k.run(k.t, args...), before)
}

// resumes checks that an import went on where the killed one had come to.
func (k *killer) resumes(e *ended, before int64) *runJSON {
	k.t.Helper()
	r := k.ended(e)
	if at := k.left; r.Run == before+1 && r.Resumed != at {
		k.t.Fatalf("the killed run had %d rows and is resumed after %d\n%s", at, r.Resumed, e)
	}
	return r
}

func (k *killer) ended(e *ended) *runJSON {
	k.t.Helper()
	if e.code != 4 {
		k.t.Fatalf("after %d kills, want exit code 4\n%s", k.kills, e)
	}
	r := decode[runJSON](k.t, e)
	return &r
}

// newest is the run begun last.
func (k *killer) newest() *runJSON {
	k.t.Helper()
	runs := decode[[]runJSON](k.t, k.must(k.t, 0, "run", "list", "-o", "json"))
	if len(runs) == 0 {
		return &runJSON{}
	}
	return &runs[len(runs)-1]
}

// half checks what a killed import left: whole batches, the ledger and the staging rows of just those.
func (k *killer) half(before int64) *runJSON {
	k.t.Helper()
	r := k.newest()
	if r.Run == before {
		return r // killed before the run began
	}
	id := func(run int64) string { return strconv.FormatInt(run<<36, 10) }
	rows := decode[struct{ Count int64 }](k.t, k.must(k.t, 0, "record", "count", "sys_import_set_row", "--query", "id>="+id(r.Run)+"^id<"+id(r.Run+1), "-o", "json"))
	switch {
	case !r.balances():
		k.t.Fatalf("after kill %d, run %d does not balance: %+v", k.kills, r.Run, r)
	case r.State != "halted" && r.State != "done" && r.State != "running":
		k.t.Fatalf("after kill %d, run %d is %s", k.kills, r.Run, r.State)
	case rows.Count != r.Read:
		k.t.Fatalf("after kill %d, run %d has read %d rows and %d are in staging", k.kills, r.Run, r.Read, rows.Count)
	}
	if r.Read > 0 && r.Read < int64(assetRows) {
		k.between++
	}
	return r
}

// expected is how an undisturbed import ends.
type expected struct {
	fates            [6]int64
	content, staging string
}

// finished checks how an import that was killed ended.
func (k *killer) finished(r *runJSON, before int64, want expected) {
	k.t.Helper()
	switch {
	case r.Run != before+1:
		k.t.Fatalf("after %d kills: after run %d came run %d, so the killed run was not resumed", k.kills, before, r.Run)
	case r.State != "done" || r.Pending != 0 || r.fates() != want.fates:
		k.t.Fatalf("after %d kills run %d is %+v, want %v", k.kills, r.Run, r, want.fates)
	case k.staging(k.t, r) != want.staging:
		k.t.Fatalf("staging of run %d is not that of an undisturbed import", r.Run)
	case k.content(k.t) != want.content:
		k.t.Fatalf("the target is not what an undisturbed import makes it")
	}
}

// first loads the first delivery and gives the digest of it.
func (k *killer) first() (base string) {
	k.t.Helper()
	k.makeAssets(k.t)
	first, want := assetFile(false)
	r := k.load(k.t, k.write(k.t, "first.csv", first), "--map", "map.yaml")
	if r.fates() != want {
		k.t.Fatalf("the first delivery came to %v, want %v", r.fates(), want)
	}
	return k.content(k.t)
}

// undisturbed imports the second delivery, takes it back, tells how both went and keeps how long they took.
func (k *killer) undisturbed(base string, args ...string) (want expected) {
	k.t.Helper()
	second, fates := assetFile(true)
	k.write(k.t, "second.csv", second)
	e := k.must(k.t, 4, args...)
	r := decode[runJSON](k.t, e)
	want = expected{fates: fates, content: k.content(k.t), staging: k.staging(k.t, &r)}
	if r.fates() != fates {
		k.t.Fatalf("the second delivery came to %v, want %v", r.fates(), fates)
	}
	undone := k.must(k.t, 0, "undo", strconv.FormatInt(r.Run, 10))
	if k.content(k.t) != base {
		k.t.Fatal("undo leaves another target than the run found")
	}
	k.took = map[string]time.Duration{"import": e.took, "apply": e.took, "undo": undone.took}
	return want
}

func short(short, long int) int {
	if soak() {
		return long
	}
	return short
}

var importSecond = []string{"import", "second.csv", "--map", "map.yaml", "-o", "json"}

func TestKilledAnywhereItEndsAsIfItWasNot(t *testing.T) {
	onBoth(t, func(t *testing.T, h *home) {
		k := newKiller(t, h)
		base := k.first()
		want := k.undisturbed(base, importSecond...)
		k.quota = map[string]int{"import": short(10, 200), "apply": short(3, 60), "undo": short(3, 60)}
		for k.quota["import"] > 0 || k.quota["apply"] > 0 || k.quota["undo"] > 0 {
			k.thereAndBack(base, want, importSecond...)
			if k.quota["apply"] > 0 {
				k.must(t, 4, "import", "second.csv", "--map", "map.yaml", "--plan", "--save", "second.plan")
				k.thereAndBack(base, want, "apply", "second.plan", "-o", "json")
			}
		}
		t.Logf("import in %s, undo in %s; %d kills, %d of imports and applies between their first batch and the last", k.took["import"], k.took["undo"], k.kills, k.between)
		if k.between == 0 {
			t.Error("no kill left a run that had to be resumed in its middle")
		}
	})
}

// thereAndBack imports and takes the import back, both with kills.
func (k *killer) thereAndBack(base string, want expected, args ...string) {
	k.t.Helper()
	before := k.newest().Run
	k.finished(k.importing(before, args...), before, want)
	k.undoing(before+1, want)
	if k.content(k.t) != base {
		k.t.Fatalf("after %d kills, undo leaves another target than the run found", k.kills)
	}
}

// undoing takes a run back, killing that up to three times.
func (k *killer) undoing(run int64, want expected) {
	k.t.Helper()
	args := []string{"undo", strconv.FormatInt(run, 10), "-o", "json"}
	for range min(3, k.quota["undo"]) {
		e, killed := k.attempt(1, args...)
		if !killed {
			k.undone(e, want)
			return
		}
		if k.newest().State == "undone" {
			return // killed between the end of its work and its own
		}
	}
	k.undone(k.run(k.t, args...), want)
}

func (k *killer) undone(e *ended, want expected) {
	k.t.Helper()
	u := decode[undoJSON](k.t, e)
	if e.code != 0 || u.Removed != want.fates[1] || u.Restored != want.fates[2] || u.Refused != 0 {
		k.t.Fatalf("after %d kills, want %d removed and %d restored\n%s", k.kills, want.fates[1], want.fates[2], e)
	}
}

// undoJSON is an undo as the program tells it to other programs.
type undoJSON struct {
	Removed  int64 `json:"removed"`
	Restored int64 `json:"restored"`
	Refused  int64 `json:"refused"`
}
