package sqldb_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/connect/source"
	"headrace/internal/connect/source/sourcetest"
	"headrace/internal/core/fault"
)

// stamped are the databases, each with its type for times without a zone.
func stamped(t *testing.T) map[*server]string {
	double, _ := sqlServer(t)
	return map[*server]string{postgresServer: "timestamp", mariaServer: "datetime(3)", sqliteServer(t): "datetime", double: "TEXT datetime2"}
}

const inSQL = "2006-01-02 15:04:05.000"

// TestNothingIsLostWhileTheSourceChanges writes between and during readings: with equal stamps, with clocks that differ, and
// in transactions that end after their stamps, all within the overlap. Who reads must end with what the table holds.
func TestNothingIsLostWhileTheSourceChanges(t *testing.T) {
	for s, typ := range stamped(t) {
		t.Run(s.kind, func(t *testing.T) {
			if s.kind == "sqlite" {
				s.exec(t, "PRAGMA synchronous = OFF")
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			s.table(t, "moving", "CREATE TABLE moving (id int PRIMARY KEY, rev int, changed "+typ+")")
			w := &world{server: s, t: t, rand: rand.New(rand.NewPCG(seed, 1)), now: time.Now().UTC().Add(-72 * time.Hour).Truncate(time.Second), held: map[string]string{}}
			r := s.open(t, format.Options{"table": "moving", "watermark": "changed", "zone": "UTC", "overlap": "60s"})
			for range 25 {
				w.write(w.rand.IntN(6))
				w.read(r)
			}
			w.settle()
			w.read(r)
			want, _, _, err := sourcetest.Read(t.Context(), s.open(t, format.Options{"query": "SELECT id, rev FROM moving"}), "")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range want {
				id, rev, _ := strings.Cut(line, "|")
				if w.held[id] != rev {
					t.Errorf("row %s is at revision %s, and %q was read", id, rev, w.held[id])
				}
			}
			if len(w.held) != len(want) {
				t.Errorf("%d rows were read of %d", len(w.held), len(want))
			}
		})
	}
}

// world is a table that others write to, and what a reader holds of it.
type world struct {
	*server
	t       *testing.T
	rand    *rand.Rand
	now     time.Time
	rev     int
	pending []pending
	held    map[string]string
	mark    string
	quiet   bool // nobody writes any more
}

// pending is a write whose transaction has not ended.
type pending struct {
	statement string
	due       time.Time
}

// write lets time pass and writes: mostly at once, at times late; with a clock that is up to 25 s off and shows whole
// seconds, so that many stamps are equal.
func (w *world) write(n int) {
	for range n {
		w.now = w.now.Add(time.Duration(w.rand.IntN(8)) * time.Second)
		w.end()
		stamp := w.now.Add(time.Duration(w.rand.IntN(51)-25) * time.Second).Format(inSQL)
		w.rev++
		id := w.rand.IntN(40)
		statement := fmt.Sprintf("UPDATE moving SET rev = %d, changed = '%s' WHERE id = %d", w.rev, stamp, id)
		if w.rand.IntN(2) == 0 {
			statement = fmt.Sprintf("INSERT INTO moving VALUES (%d, %d, '%s')", 1000+w.rev, w.rev, stamp)
		} else if w.rev < 10 {
			statement = fmt.Sprintf("INSERT INTO moving VALUES (%d, %d, '%s')", 500+w.rev, w.rev, stamp)
		}
		due := w.now
		if w.rand.IntN(3) == 0 {
			due = due.Add(time.Duration(w.rand.IntN(10)) * time.Second)
		}
		w.pending = append(w.pending, pending{statement, due})
		w.end()
	}
}

// end commits what is due.
func (w *world) end() {
	var left []pending
	for _, p := range w.pending {
		if p.due.After(w.now) {
			left = append(left, p)
			continue
		}
		w.exec(w.t, p.statement)
	}
	w.pending = left
}

func (w *world) settle() {
	w.now = w.now.Add(time.Hour)
	w.end()
	w.quiet = true
}

// read brings in what is new, and has others write meanwhile.
func (w *world) read(r source.Rows) {
	reading := r.Read(w.t.Context(), w.mark)
	for row, err := range reading.Rows {
		if err != nil {
			w.t.Fatal(err)
		}
		if row.Cells == nil {
			continue
		}
		w.held[row.Cells[0].Text] = row.Cells[1].Text
		if !w.quiet && w.rand.IntN(10) == 0 {
			w.write(1)
		}
	}
	w.mark = reading.High()
}

func TestAStampFromTheFutureDoesNotCarryTheMarkAway(t *testing.T) {
	for s, typ := range stamped(t) {
		t.Run(s.kind, func(t *testing.T) {
			now := time.Now().UTC()
			s.table(t, "ahead", "CREATE TABLE ahead (id int PRIMARY KEY, changed "+typ+")",
				"INSERT INTO ahead VALUES (1, '"+now.Add(-time.Hour).Format(inSQL)+"'), (2, '"+now.Add(24*time.Hour).Format(inSQL)+"')")
			r := s.open(t, format.Options{"table": "ahead", "watermark": "changed", "zone": "UTC"})
			_, _, high, err := sourcetest.Read(t.Context(), r, "")
			if err != nil || high >= now.Add(12*time.Hour).Format(inSQL) || high < now.Add(-time.Minute).Format(inSQL) {
				t.Fatalf("the mark is %q at %s: %v", high, now, err)
			}
			s.exec(t, "INSERT INTO ahead VALUES (3, '"+time.Now().UTC().Format(inSQL)+"')")
			lines, _, _, err := sourcetest.Read(t.Context(), r, high)
			if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[0], "3|") {
				t.Errorf("%q, %v", lines, err)
			}
		})
	}
}

func TestTheHourThatComesTwiceIsReadWhole(t *testing.T) {
	for s, typ := range stamped(t) {
		t.Run(s.kind, func(t *testing.T) {
			// Clocks went from 03:00 back to 02:00: row 2 was written after row 1, though its stamp is lower.
			s.table(t, "twice", "CREATE TABLE twice (id int PRIMARY KEY, changed "+typ+")", "INSERT INTO twice VALUES (1, '2025-10-26 02:59:00')")
			r := s.open(t, format.Options{"table": "twice", "watermark": "changed", "zone": "Europe/Berlin"})
			_, _, high, err := sourcetest.Read(t.Context(), r, "")
			if err != nil || high != "2025-10-26 00:59:00" {
				t.Fatalf("%q, %v", high, err)
			}
			s.exec(t, "INSERT INTO twice VALUES (2, '2025-10-26 02:01:00')")
			lines, _, high, err := sourcetest.Read(t.Context(), r, high)
			if err != nil || strings.Join(lines, " ") != "2|2025-10-26 00:01:00 1|2025-10-26 00:59:00" || high != "2025-10-26 00:59:00" {
				t.Errorf("%q up to %q: %v", lines, high, err)
			}
		})
	}
}

func TestMarksAreExact(t *testing.T) {
	s := postgresServer
	s.table(t, "exact", "CREATE TABLE exact (id int PRIMARY KEY, n numeric, d date, i timestamptz, big bigint)",
		"INSERT INTO exact VALUES (1, 9007199254740993.000000000000000001, '2026-01-31', '2026-01-31 10:00:00.000001Z', 9223372036854775806), "+
			"(2, 9007199254740993.000000000000000002, '2026-02-01', '2026-01-31 10:00:00.000002Z', 9223372036854775807)")
	for _, c := range []struct{ column, overlap, high, below string }{
		{"n", "0", "9007199254740993.000000000000000002", "9007199254740993.000000000000000003"},
		{"n", "0.000000000000000001", "9007199254740993.000000000000000002", ""},
		{"big", "", "9223372036854775807", "9223372036854775808"},
		{"d", "0s", "2026-02-01", "2026-02-02"},
		{"i", "0s", "2026-01-31 10:00:00.000002", "2026-01-31 10:00:00.000003"},
	} {
		r := s.open(t, format.Options{"table": "exact", "watermark": c.column, "overlap": c.overlap})
		if _, _, high, err := sourcetest.Read(t.Context(), r, ""); err != nil || high != c.high {
			t.Errorf("%s: the mark is %q, want %q: %v", c.column, high, c.high, err)
		}
		want := 1
		if c.below == "" {
			want = 2
		}
		if lines, _, _, err := sourcetest.Read(t.Context(), r, c.high); err != nil || len(lines) != want {
			t.Errorf("%s from %s: %q, %v", c.column, c.high, lines, err)
		}
		if lines, _, high, err := sourcetest.Read(t.Context(), r, c.below); c.below != "" && (err != nil || len(lines) != 0 || high != c.below) {
			t.Errorf("%s from %s: %q up to %q, %v", c.column, c.below, lines, high, err)
		}
	}
}

func TestAMarkOrOverlapThatDoesNotFitIsRefused(t *testing.T) {
	s := postgresServer
	s.table(t, "fit", "CREATE TABLE fit (id int PRIMARY KEY, at timestamptz)")
	for _, c := range []struct{ column, overlap, since, word string }{
		{"id", "5m", "7", "no number"}, {"id", "", "x'); DROP TABLE fit", "no number"}, {"id", "-1", "7", "no number"},
		{"at", "5", "2026-01-01 00:00:00", "no duration"}, {"at", "", "7", "no time"}, {"at", "", "2026-01-01 00:00:00'", "no time"},
	} {
		_, _, _, err := sourcetest.Read(t.Context(), s.open(t, format.Options{"table": "fit", "watermark": c.column, "overlap": c.overlap}), c.since)
		says(t, err, fault.Invalid, c.word)
	}
}

func TestAQueryWithAWatermarkMayBeAnySelect(t *testing.T) {
	for s, typ := range stamped(t) {
		s.table(t, "asked", "CREATE TABLE asked (id int PRIMARY KEY, changed "+typ+")", "INSERT INTO asked VALUES (1, '2026-01-01 10:00:00'), (2, '2026-01-02 10:00:00')")
		r := s.open(t, format.Options{"query": "SELECT a.id AS n, b.changed FROM asked a JOIN asked b ON a.id = b.id WHERE a.id > 0 -- all of them\n;", "watermark": "n"})
		lines, _, high, err := sourcetest.Read(t.Context(), r, "2")
		if err != nil || strings.Join(lines, " ") != "2|2026-01-02 10:00:00" || high != "2" {
			t.Errorf("%s: %q up to %q: %v", s.kind, lines, high, err)
		}
	}
}

// BenchmarkPostgreSQL reads a million rows of twelve columns, when a server with them is named.
func BenchmarkPostgreSQL(b *testing.B) {
	address := os.Getenv("HEADRACE_BENCH_SOURCE")
	if address == "" {
		b.Skip("HEADRACE_BENCH_SOURCE names no address")
	}
	for b.Loop() {
		n := 0
		for _, err := range open(b, address, nil, source.Secret{}).Read(b.Context(), "").Rows {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
}
