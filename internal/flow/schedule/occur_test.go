package schedule_test

import (
	"archive/zip"
	"bufio"
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"headrace/internal/flow/schedule"
)

// zones lists the zones there are: all names in Go's copy of the database.
func zones(t testing.TB) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return listed(t)
	}
	defer archive.Close()
	var names []string
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	return names
}

// listed are the zones of the machine, where Go has not kept its copy.
func listed(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("/usr/share/zoneinfo/tzdata.zi")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for in := bufio.NewScanner(f); in.Scan(); {
		if words := strings.Fields(in.Text()); len(words) > 2 && words[0] == "Z" {
			names = append(names, words[1])
		} else if len(words) == 3 && words[0] == "L" {
			names = append(names, words[2])
		}
	}
	return names
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// years that the walk goes through. They begin and end in the middle of a month, so that no schedule is cut at its edge.
var (
	walkFrom = time.Date(2025, 1, 12, 12, 0, 0, 0, time.UTC)
	walkTo   = walkFrom.AddDate(2, 0, 0)
)

// shown is what the clocks of a zone show, as seconds since those of 1970.
func shown(t time.Time, z *time.Location) int64 {
	_, offset := t.In(z).Zone()
	return t.Unix() + int64(offset)
}

// walk is the slow way: it looks at the clocks of the zone every minute and runs a schedule at the first minute at which
// they show one of its times or a later one. It knows nothing of when offsets change.
func walk(z *time.Location, timings []schedule.Timing) [][]time.Time {
	pending := make([]int64, len(timings)) // the next time of each, as the clocks show it
	out := make([][]time.Time, len(timings))
	for i := range timings {
		pending[i] = nextShown(&timings[i], shown(walkFrom.Add(-time.Minute), z))
	}
	for at := walkFrom; at.Before(walkTo); at = at.Add(time.Minute) {
		now := shown(at, z)
		for i := range timings {
			if now >= pending[i] {
				out[i] = append(out[i], at)
				pending[i] = nextShown(&timings[i], now)
			}
		}
	}
	return out
}

// nextShown finds the next time of a schedule after one shown, day by day, from what the words of its type say.
func nextShown(d *schedule.Timing, after int64) int64 {
	for day := time.Unix(after, 0).UTC().Truncate(24 * time.Hour); ; day = day.AddDate(0, 0, 1) {
		if at := day.Add(d.Time).Unix(); at > after && runsOn(d, day) {
			return at
		}
	}
}

func runsOn(d *schedule.Timing, day time.Time) bool {
	last := day.AddDate(0, 0, 1).Month() != day.Month()
	nth := d.Weekdays[day.Weekday()] && ((day.Day()-1)/7+1 == d.Week || d.Week == 6 && day.AddDate(0, 0, 7).Month() != day.Month())
	switch d.Type {
	case schedule.Daily:
		return true
	case schedule.Weekly:
		return d.Weekdays[day.Weekday()]
	case schedule.Monthly:
		return day.Day() == d.Day || last && day.Day() < d.Day
	case schedule.DayAndMonth:
		return day.Month() == d.Month && day.Day() == d.Day
	case schedule.WeekInMonth:
		return nth
	}
	return nth && day.Month() == d.Month
}

// someTimings draws a schedule of each calendar type. Most times lie where clocks are changed.
func someTimings(dice *rand.Rand, z *time.Location) []schedule.Timing {
	types := []schedule.RunType{schedule.Daily, schedule.Daily, schedule.Weekly, schedule.Monthly, schedule.DayAndMonth, schedule.WeekInMonth, schedule.DayWeekMonth}
	out := make([]schedule.Timing, len(types))
	for i, kind := range types {
		d := schedule.Timing{Type: kind, Zone: z, Day: 1 + dice.IntN(31), Month: time.Month(1 + dice.IntN(12)), Week: 1 + dice.IntN(6)}
		d.Time = time.Duration(dice.IntN(4*60)) * time.Minute
		if dice.IntN(4) == 0 {
			d.Time = time.Duration(dice.IntN(24*60)) * time.Minute
		}
		for range 1 + dice.IntN(3) {
			d.Weekdays[dice.IntN(7)] = true
		}
		if kind == schedule.DayAndMonth {
			d.Day = 1 + dice.IntN(28)
		}
		out[i] = d
	}
	return out
}

func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("HEADRACE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HEADRACE_SEED=%d repeats this", seed)
	return seed
}

// TestEveryRunComesWhenTheClocksOfItsZoneFirstShowItsTime compares the times of schedules with what a walk through two
// years finds, minute by minute: in zones drawn at random, those that change their clocks oddly always, and in all of them
// when there is time.
func TestEveryRunComesWhenTheClocksOfItsZoneFirstShowItsTime(t *testing.T) {
	seed := seedOf(t)
	names := zones(t)
	if len(names) < 400 {
		t.Fatalf("only %d zones", len(names))
	}
	if os.Getenv("HEADRACE_SOAK") == "" {
		dice := rand.New(rand.NewPCG(seed, 1))
		dice.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = append(names[:4], "Europe/Berlin", "Australia/Lord_Howe")
	}
	for i, name := range names {
		z := zone(t, name)
		timings := someTimings(rand.New(rand.NewPCG(seed, uint64(i+2))), z)
		want := walk(z, timings)
		for j := range timings {
			got := slices.Collect(schedule.Occurrences(&timings[j], walkFrom, walkTo))
			if !slices.EqualFunc(got, want[j], time.Time.Equal) {
				t.Errorf("%s: %s", name, difference(&timings[j], got, want[j]))
			}
		}
	}
}

func difference(d *schedule.Timing, got, want []time.Time) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !got[i].Equal(want[i]) {
			return fmt.Sprintf("%+v: from run %d on %v, the walk says %v", *d, i, got[min(i, len(got)):min(i+2, len(got))], want[min(i, len(want)):min(i+2, len(want))])
		}
	}
	return ""
}

func times(seq iter.Seq[time.Time], z *time.Location, most int) string {
	var out []string
	for at := range seq {
		if out = append(out, at.In(cmp.Or(z, time.UTC)).Format("2006-01-02 15:04:05 -0700")); len(out) == most {
			break
		}
	}
	return strings.Join(out, "\n")
}

func TestTheTimesOfEachRunType(t *testing.T) {
	berlin, newYork, samoa := zone(t, "Europe/Berlin"), zone(t, "America/New_York"), zone(t, "Pacific/Apia")
	at := func(text string) time.Time {
		out, err := time.Parse("2006-01-02 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	on := func(days ...time.Weekday) (out [7]bool) {
		for _, d := range days {
			out[d] = true
		}
		return out
	}
	halfPastTwo := 2*time.Hour + 30*time.Minute
	for name, c := range map[string]struct {
		d    schedule.Timing
		from string
		want []string
	}{
		"a missing hour runs at the first moment after the gap": {schedule.Timing{Type: schedule.Daily, Zone: berlin, Time: halfPastTwo}, "2026-03-28 00:00:00",
			[]string{"2026-03-28 02:30:00 +0100", "2026-03-29 03:00:00 +0200", "2026-03-30 02:30:00 +0200"}},
		"an hour that comes twice runs at the first": {schedule.Timing{Type: schedule.Daily, Zone: berlin, Time: halfPastTwo}, "2026-10-24 12:00:00",
			[]string{"2026-10-25 02:30:00 +0200", "2026-10-26 02:30:00 +0100"}},
		"the same on the other side of the sea": {schedule.Timing{Type: schedule.Daily, Zone: newYork, Time: time.Hour}, "2026-10-31 12:00:00",
			[]string{"2026-11-01 01:00:00 -0400", "2026-11-02 01:00:00 -0500"}},
		"a day that the zone left out runs as the next begins": {schedule.Timing{Type: schedule.Daily, Zone: samoa, Time: 10 * time.Hour}, "2011-12-29 12:00:00",
			[]string{"2011-12-29 10:00:00 -1000", "2011-12-31 00:00:00 +1400", "2011-12-31 10:00:00 +1400"}},
		"two runs that fall on one moment are one": {schedule.Timing{Type: schedule.Daily, Zone: samoa}, "2011-12-29 00:00:00",
			[]string{"2011-12-29 00:00:00 -1000", "2011-12-31 00:00:00 +1400", "2012-01-01 00:00:00 +1400"}},
		"several weekdays": {schedule.Timing{Type: schedule.Weekly, Zone: time.UTC, Weekdays: on(time.Monday, time.Friday), Time: time.Hour}, "2026-01-01 00:00:00",
			[]string{"2026-01-02 01:00:00 +0000", "2026-01-05 01:00:00 +0000", "2026-01-09 01:00:00 +0000"}},
		"every other week, counted from the start": {schedule.Timing{Type: schedule.Weekly, Zone: time.UTC, Weekdays: on(time.Sunday, time.Monday), Every: 2, Start: at("2026-01-07 00:00:00")}, "2026-01-01 00:00:00",
			[]string{"2026-01-11 00:00:00 +0000", "2026-01-19 00:00:00 +0000", "2026-01-25 00:00:00 +0000"}},
		"31 is the last day of the month": {schedule.Timing{Type: schedule.Monthly, Zone: time.UTC, Day: 31}, "2028-01-15 00:00:00",
			[]string{"2028-01-31 00:00:00 +0000", "2028-02-29 00:00:00 +0000", "2028-03-31 00:00:00 +0000", "2028-04-30 00:00:00 +0000"}},
		"30 in February too": {schedule.Timing{Type: schedule.Monthly, Zone: time.UTC, Day: 30}, "2026-01-31 00:00:00",
			[]string{"2026-02-28 00:00:00 +0000", "2026-03-30 00:00:00 +0000"}},
		"periodically adds a span, whatever the clocks do": {schedule.Timing{Type: schedule.Periodically, Zone: berlin, Period: 12 * time.Hour, Start: at("2026-03-28 11:00:00")}, "2026-03-01 00:00:00",
			[]string{"2026-03-28 12:00:00 +0100", "2026-03-29 00:00:00 +0100", "2026-03-29 13:00:00 +0200"}},
		"periodically without a start is on the hour": {schedule.Timing{Type: schedule.Periodically, Zone: time.UTC, Period: time.Hour}, "2026-03-01 00:17:00",
			[]string{"2026-03-01 01:00:00 +0000", "2026-03-01 02:00:00 +0000"}},
		"once, and not again": {schedule.Timing{Type: schedule.Once, Zone: berlin, Start: at("2026-03-01 08:00:00")}, "2026-01-01 00:00:00", []string{"2026-03-01 09:00:00 +0100"}},
		"29 February in leap years": {schedule.Timing{Type: schedule.DayAndMonth, Zone: time.UTC, Month: 2, Day: 29}, "2097-01-01 00:00:00",
			[]string{"2104-02-29 00:00:00 +0000", "2108-02-29 00:00:00 +0000"}},
		"the fifth Friday where there is one": {schedule.Timing{Type: schedule.WeekInMonth, Zone: time.UTC, Week: 5, Weekdays: on(time.Friday)}, "2026-02-01 00:00:00",
			[]string{"2026-05-29 00:00:00 +0000", "2026-07-31 00:00:00 +0000"}},
		"week 6 is the last": {schedule.Timing{Type: schedule.WeekInMonth, Zone: time.UTC, Week: 6, Weekdays: on(time.Friday)}, "2026-02-01 00:00:00",
			[]string{"2026-02-27 00:00:00 +0000", "2026-03-27 00:00:00 +0000"}},
		"the second Sunday in May": {schedule.Timing{Type: schedule.DayWeekMonth, Zone: time.UTC, Week: 2, Month: 5, Weekdays: on(time.Sunday)}, "2026-01-01 00:00:00",
			[]string{"2026-05-10 00:00:00 +0000", "2027-05-09 00:00:00 +0000"}},
		"the window includes its ends": {schedule.Timing{Type: schedule.Daily, Zone: time.UTC, Start: at("2026-01-02 00:00:00"), End: at("2026-01-03 00:00:00")}, "2026-01-01 00:00:00",
			[]string{"2026-01-02 00:00:00 +0000", "2026-01-03 00:00:00 +0000"}},
		"on demand has no times": {schedule.Timing{Type: schedule.OnDemand, Zone: time.UTC}, "2026-01-01 00:00:00", nil},
	} {
		most := max(len(c.want), 1)
		ends := c.d.Type == schedule.Once || !c.d.End.IsZero()
		if ends {
			most++
		}
		got := times(schedule.Occurrences(&c.d, at(c.from), at(c.from).AddDate(50, 0, 0)), c.d.Zone, most)
		if want := strings.Join(c.want, "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// BenchmarkOccurrences measures a year of a schedule.
func BenchmarkOccurrences(b *testing.B) {
	d := schedule.Timing{Type: schedule.Daily, Zone: zone(b, "Europe/Berlin"), Time: 150 * time.Minute}
	for b.Loop() {
		n := 0
		for range schedule.Occurrences(&d, walkFrom, walkFrom.AddDate(1, 0, 0)) {
			n++
		}
		if n != 365 {
			b.Fatal(n)
		}
	}
}
