package demo_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"headrace/internal/demo"
)

func text(t *testing.T, data io.WriterTo) string {
	t.Helper()
	var b bytes.Buffer
	n, err := data.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Errorf("%T says it wrote %d bytes of %d", data, n, b.Len())
	}
	return b.String()
}

// rows reads CSV text, checks its header and gives the rows below it.
func rows(t *testing.T, source string, header []string) [][]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(source)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(all[0], header) {
		t.Errorf("header %v, want %v", all[0], header)
	}
	return all[1:]
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	for _, of := range []func(seed uint64) io.WriterTo{
		func(seed uint64) io.WriterTo { return demo.Assets{Rows: 300, Seed: seed} },
		func(seed uint64) io.WriterTo { return demo.Assets{Rows: 300, Seed: seed, Shuffled: true, Delta: true} },
		func(seed uint64) io.WriterTo { return demo.Objects{Bytes: 5000, Seed: seed} },
	} {
		first := text(t, of(7))
		if again := text(t, of(7)); again != first {
			t.Errorf("%T: two runs differ", of(7))
		}
		if other := text(t, of(8)); other == first {
			t.Errorf("%T: two seeds agree", of(7))
		}
	}
}

func TestAssetsAreUniqueAndCanonical(t *testing.T) {
	tags, serials := map[string]bool{}, map[string]bool{}
	var quotes, foreign int
	got := rows(t, text(t, demo.Assets{Rows: 20_000, Seed: 1}), demo.AssetColumns)
	for _, row := range got {
		tags[row[0]], serials[row[1]] = true, true
		if _, err := time.Parse(time.DateOnly, row[7]); err != nil {
			t.Fatal(err)
		}
		if cost := row[8]; strings.HasSuffix(cost, "0") || strings.HasPrefix(cost, "0") {
			t.Fatalf("cost %q is not in its shortest form", cost)
		}
		if strings.ContainsAny(strings.Join(row, ""), "\n\x1f") {
			t.Fatalf("a value of %q breaks a line", row)
		}
		if strings.Contains(row[11], `"`) && strings.Contains(row[11], ",") {
			quotes++
		}
		if len([]rune(row[11])) != len(row[11]) {
			foreign++
		}
	}
	if len(got) != 20_000 || len(tags) != len(got) || len(serials) != len(got) {
		t.Errorf("%d rows, %d tags, %d serial numbers", len(got), len(tags), len(serials))
	}
	if quotes < 1000 || foreign < 1000 {
		t.Errorf("only %d descriptions with quotes and commas, %d with UTF-8", quotes, foreign)
	}
}

func TestShufflingChangesTheOrderOnly(t *testing.T) {
	for _, n := range []int64{1, 2, 3, 64, 65, 1000, 4097} {
		plain := strings.SplitAfter(text(t, demo.Assets{Rows: n, Seed: 3}), "\n")
		mixed := strings.SplitAfter(text(t, demo.Assets{Rows: n, Seed: 3, Shuffled: true}), "\n")
		if n > 60 && slices.Equal(plain, mixed) {
			t.Errorf("%d rows: not shuffled", n)
		}
		slices.Sort(plain)
		slices.Sort(mixed)
		if !slices.Equal(plain, mixed) {
			t.Errorf("%d rows: the shuffled file holds other rows", n)
		}
	}
}

func TestDeltaIsNinetyNineOne(t *testing.T) {
	for _, shuffled := range []bool{false, true} {
		base := rows(t, text(t, demo.Assets{Rows: 10_000, Seed: 5, Shuffled: shuffled}), demo.AssetColumns)
		delta := rows(t, text(t, demo.Assets{Rows: 10_000, Seed: 5, Shuffled: shuffled, Delta: true}), demo.AssetColumns)
		known := map[string][]string{}
		for _, row := range base {
			known[row[0]] = row
		}
		var same, changed, fresh int
		for i, row := range delta {
			old, ok := known[row[0]]
			switch {
			case !ok:
				fresh++
			case slices.Equal(old, row):
				same++
			default:
				changed++
			}
			if ok && base[i][0] != row[0] {
				t.Fatalf("row %d is %s, in the file before it was %s", i+1, row[0], base[i][0])
			}
		}
		if same != 9000 || changed != 900 || fresh != 100 {
			t.Errorf("shuffled %v: %d same, %d changed, %d new", shuffled, same, changed, fresh)
		}
	}
}

// importInto does what the import of a server list must do, in the plainest way, and counts.
func importInto(t *testing.T, target map[string][]string, list [][]string, dates ...string) demo.Sums {
	t.Helper()
	sums := demo.Sums{Read: len(list)}
	seen := map[string]bool{}
	for _, row := range list {
		key := row[0]
		old, known := target[key]
		switch {
		case !parses(row[6], dates):
			sums.Rejected++
			continue
		case seen[key]:
			sums.Skipped++
			continue
		case !known:
			sums.Inserted++
		case slices.Equal(old, row):
			sums.Unchanged++
		default:
			sums.Updated++
		}
		seen[key] = true
		target[key] = row
	}
	return sums
}

func parses(date string, layouts []string) bool {
	return slices.ContainsFunc(layouts, func(layout string) bool {
		_, err := time.Parse(layout, date)
		return err == nil
	})
}

func servers(t *testing.T, write func(io.Writer) error) [][]string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return rows(t, b.String(), demo.ServerColumns)
}

func TestServerListsComeToTheirSums(t *testing.T) {
	monday, tuesday := servers(t, demo.WriteMonday), servers(t, demo.WriteTuesday)
	target, mended := map[string][]string{}, map[string][]string{}
	for _, c := range []struct {
		name      string
		got, want demo.Sums
	}{
		{"monday", importInto(t, target, monday, time.DateOnly), demo.MondaySums},
		{"tuesday", importInto(t, target, tuesday, time.DateOnly), demo.TuesdaySums},
		{"monday again", importInto(t, mended, monday, time.DateOnly), demo.MondaySums},
		{"tuesday mended", importInto(t, mended, tuesday, time.DateOnly, "02.01.2006"), demo.TuesdayMendedSums},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, c.got, c.want)
		}
		if s := c.want; s.Read != s.Inserted+s.Updated+s.Unchanged+s.Skipped+s.Rejected {
			t.Errorf("%s: the planned sums do not balance: %+v", c.name, s)
		}
	}
}

func TestObjectsAreOneArrayOfTheSizeAskedFor(t *testing.T) {
	for _, size := range []int64{0, 1, 1000, 1_000_000} {
		source := text(t, demo.Objects{Bytes: size, Seed: 2})
		if over := int64(len(source)) - size; over < 0 || over > 1000 {
			t.Errorf("%d bytes asked for, %d written", size, len(source))
		}
		var objects []struct {
			ID   int
			Note string
		}
		if err := json.Unmarshal([]byte(source), &objects); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for i, o := range objects {
			if o.ID != i || !strings.HasPrefix(o.Note, `café, "checked"`) {
				t.Fatalf("object %d: %+v", i, o)
			}
		}
	}
}

type broken struct{ after int }

func (b *broken) Write(p []byte) (int, error) {
	if b.after -= len(p); b.after < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

var errBroken = errors.New("disk full")

func TestWritingStopsAtTheFirstError(t *testing.T) {
	for _, data := range []io.WriterTo{demo.Assets{Rows: 1 << 40}, demo.Objects{Bytes: 1 << 50}} {
		if _, err := data.WriteTo(&broken{after: 1 << 20}); !errors.Is(err, errBroken) {
			t.Errorf("%T: %v", data, err)
		}
	}
}

func BenchmarkAssets(b *testing.B) {
	for _, shuffled := range []bool{false, true} {
		b.Run(fmt.Sprintf("shuffled=%v", shuffled), func(b *testing.B) {
			var bytes int64
			for b.Loop() {
				bytes, _ = demo.Assets{Rows: 100_000, Seed: 1, Shuffled: shuffled}.WriteTo(io.Discard)
			}
			b.SetBytes(bytes)
		})
	}
}
