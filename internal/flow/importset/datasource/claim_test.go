package datasource_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

// claimed writes who works on a source.
func (n *nights) claimed(name, owner string, beat time.Time) {
	n.t.Helper()
	t, id := n.db.Catalog().Table(datasource.ClaimTable), record.Text(n.get(datasource.SourceTable, "sys_id", "name", name))
	err := n.db.As(record.System).Write(context.Background(), func(w *record.Writer) error {
		if _, err := w.Tx().Delete(context.Background(), t, []record.Value{id}); err != nil {
			return err
		}
		return w.Tx().Insert(context.Background(), t, &record.Rows{Fields: []string{"source", "owner", "heartbeat"},
			Values: []record.Value{id, record.Text(owner), record.Text(beat.UTC().Format(record.DateTimeLayout))}})
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

// set changes a field of the record that a field finds.
func (n *nights) set(table, where, is, field, value string) {
	n.t.Helper()
	if _, _, err := n.db.As(record.System).Update(context.Background(), n.db.Catalog().Table(table), n.get(table, "sys_id", where, is),
		[]record.Assignment{{Field: field, Value: record.Text(value)}}); err != nil {
		n.t.Fatal(err)
	}
}

// during runs a source, and does something as soon as its import has begun.
func (n *nights) during(name string, do func()) error {
	_, err := n.s.Run(n.t.Context(), datasource.Request{Name: name, Actor: record.System, Began: func(*importset.Run) { do() }})
	return err
}

func TestWhoWasTakenForDeadWritesNothingMoreOfASource(t *testing.T) {
	for kind, put := range map[string]func(n *nights){
		"feed":    func(n *nights) { n.feed("done_folder", "done"); n.put("/in/1.csv", boxes("A1,one,1")) },
		"stream":  func(n *nights) { n.stream("stream", "use_last_run_datetime", "true"); n.fill("A1,one,1") },
		"listing": func(n *nights) { n.stream("listing", "use_last_run_datetime", "true"); n.fill("A1,one,1") },
	} {
		t.Run(kind, func(t *testing.T) {
			eachShelf(t, func(_ *testing.T, n *nights) {
				put(n)
				err := n.during(kind, func() { n.claimed(kind, "elsewhere:7:x", time.Now()) })
				if fault.KindOf(err) != fault.Conflict || !strings.Contains(fmt.Sprint(err), "taken for dead") || fault.HintOf(err) == "" {
					n.t.Fatalf("%v; %s", err, fault.HintOf(err))
				}
				n.holds("mark", n.mark(kind), "")
				n.holds("files put aside", fmt.Sprint(strings.Count(n.names(), "/done/")), "0")
				n.holds("claim", n.get(datasource.ClaimTable, "owner", "owner", "elsewhere:7:x"), "elsewhere:7:x")
				n.holds("alerts", n.get(datasource.AlertTable, "kind", "state", "open"), "")

				n.restart()
				n.fails(kind, fault.Conflict, "at the moment")
				n.claimed(kind, "elsewhere:7:x", time.Now().Add(-time.Minute))
				n.must(kind, datasource.StateDone)
				n.holds("boxes", n.boxes(), "A1:one:1")
				n.holds("claim", n.get(datasource.ClaimTable, "owner", "owner", "elsewhere:7:x"), "")
			})
		})
	}
}

func TestAClaimHoldsAsLongAsItsProcessGivesSignsOfLife(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	parent := fmt.Sprintf("%s:%d:x", host, os.Getppid())
	oneShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", boxes("A1,one,1"))
		n.claimed("feed", parent, time.Now())
		n.fails("feed", fault.Conflict, "at the moment")
		n.claimed("feed", parent, time.Now().Add(-time.Hour)) // the number of a dead process, in use again
		n.must("feed", datasource.StateDone)
	})
}

func TestAPatientOneWaitsUntilTheSourceIsFree(t *testing.T) {
	oneShelf(t, func(t *testing.T, n *nights) {
		n.stream("stream", "use_last_run_datetime", "true", "last_run_datetime", "A1")
		n.fill("A1,one,1", "A2,two,2", "A3,three,3")
		n.claimed("stream", "elsewhere:7:x", time.Now())
		n.waits = func() { // the other comes to its end
			n.set(datasource.SourceTable, "name", "stream", "last_run_datetime", "A2")
			n.claimed("stream", "elsewhere:7:x", time.Now().Add(-time.Hour))
		}
		if _, err := n.s.Run(t.Context(), datasource.Request{Name: "stream", Actor: record.System, Patient: true}); err != nil {
			t.Fatal(err)
		}
		n.holds("read since", fmt.Sprint(n.since), "[A2]")
		n.holds("mark", n.mark("stream"), "A3")
	})
}

// Whoever finds a dead claim while another takes it over waits for the other, and finds it alive.
func TestOfTwoWhoFindADeadClaimOneGoesOn(t *testing.T) {
	eachShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", boxes("A1,one,1"))
		n.claimed("feed", "elsewhere:7:x", time.Now().Add(-time.Hour))
		id, claims := n.get(datasource.SourceTable, "sys_id", "name", "feed"), n.db.Catalog().Table(datasource.ClaimTable)
		second := make(chan error, 1)
		err := n.db.As(record.System).Write(t.Context(), func(w *record.Writer) error {
			if _, err := w.Bump(t.Context(), "data source "+id); err != nil {
				return err
			}
			go func() {
				_, err := n.s.Run(t.Context(), datasource.Request{Name: "feed", Actor: record.System})
				second <- err
			}()
			_, err := w.Tx().Update(t.Context(), claims, &record.Rows{Fields: []string{"source", "owner", "heartbeat"},
				Values: []record.Value{record.Text(id), record.Text("elsewhere:8:y"), record.Text(time.Now().UTC().Format(record.DateTimeLayout))}})
			return err
		})
		if late := <-second; err != nil || fault.KindOf(late) != fault.Conflict {
			t.Errorf("%v, and the second: %v", err, late)
		}
		n.holds("boxes", n.boxes(), "")
	})
}

func TestAFileWhoseRunAnotherProcessIsAtStaysWhereItIs(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed("error_folder", "bad", "done_folder", "done")
		n.put("/in/1.csv", large("night"))
		if !n.stopped("feed", 0) {
			n.t.Fatal("it did not stop")
		}
		n.restart()
		for field, v := range map[string]string{"state": "running", "owner": "elsewhere:7", "heartbeat": time.Now().UTC().Format(record.DateTimeLayout)} {
			n.set(importset.SetTable, "run", "1", field, v)
		}
		n.fails("feed", fault.Conflict, "imports this at the moment")
		n.holds("shelf", n.names(), "/in/1.csv")
		n.set(importset.SetTable, "run", "1", "heartbeat", "2026-01-01 00:00:00")
		n.must("feed", datasource.StateDone)
		n.holds("boxes", n.count("night"), fmt.Sprintf("%d of %d", many, many))
	})
}

func TestWhatSomebodySetsDuringARunStaysTheMark(t *testing.T) {
	for _, kind := range []string{"stream", "listing"} {
		eachShelf(t, func(_ *testing.T, n *nights) {
			n.stream(kind, "use_last_run_datetime", "true", "last_run_datetime", "A2")
			n.fill("A1,one,1", "A2,two,2", "A3,three,3")
			if err := n.during(kind, func() { n.set(datasource.SourceTable, "name", kind, "last_run_datetime", "A0") }); err != nil {
				n.t.Fatal(err)
			}
			n.holds("mark", n.mark(kind), "A0")
			n.must(kind, datasource.StateDone)
			n.holds("mark", n.mark(kind), "A3")
			n.holds("boxes", n.boxes(), "A1:one:1 A2:two:2 A3:three:3")
		})
	}
}

func TestAMarkThatIsSetBackIsReadFromAlthoughRowsWereGathered(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.stream("listing", "use_last_run_datetime", "true", "last_run_datetime", "S00100")
		n.fill(rowsOf(0, many, "first")...)
		if !n.stopped("listing", 0) {
			n.t.Fatal("it did not stop")
		}
		n.set(datasource.SourceTable, "name", "listing", "last_run_datetime", "S00000")
		n.restart()
		n.must("listing", datasource.StateDone)
		n.holds("read since", fmt.Sprint(n.since), "[S00100 S00000]")
		n.holds("mark", n.mark("listing"), fmt.Sprintf("S%05d", many-1))
		n.holds("boxes", n.count("first"), fmt.Sprintf("%d of %d", many, many))
	})
}

func TestAPlaceThatGoesBackToWhatItHeldIsReadAgain(t *testing.T) {
	for pick, names := range map[string][3]string{"all": {"now", "now", "now"}, "newest": {"1", "2", "3"}} {
		eachShelf(t, func(_ *testing.T, n *nights) {
			n.feed("pick", pick)
			for i, name := range names {
				n.put("/in/"+name+".csv", boxes([]string{"A1,on,1", "A1,off,0", "A1,on,1"}[i]))
				n.must("feed", datasource.StateDone)
			}
			n.holds(pick, n.boxes(), "A1:on:1")
			n.put("/in/"+names[2]+".csv", boxes("A1,on,1"))
			n.must("feed", datasource.StateNothing)
		})
	}
}

func TestAFolderThatIsNoneAsideMovesNothing(t *testing.T) {
	oneShelf(t, func(_ *testing.T, n *nights) {
		n.feed("done_folder", ".")
		n.put("/in/1.csv", boxes("A1,one,1"))
		n.must("feed", datasource.StateDone)
		for range 2 {
			n.must("feed", datasource.StateNothing)
			n.holds("shelf", n.names(), "/in/1.csv")
		}
		for field, bad := range map[string]string{"expect_every": "daily", "contract": `{"columns": [{"name": "a", "type": "text"}]}`} {
			n.set(datasource.SourceTable, "name", "feed", field, bad)
			if checked, err := n.s.Test(n.t.Context(), "feed"); err != nil || checked.OK || checked.Steps[0].Hint == "" {
				n.t.Errorf("%s: %+v %v", field, checked, err)
			}
			n.set(datasource.SourceTable, "name", "feed", field, "")
		}
	})
}

func TestAPlaceThatShowsNoTimesIsNotedOnce(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.files["/in/1.csv"] = &lying{text: boxes("A1,one,1")}
		n.must("feed", datasource.StateDone)
		for range 5 {
			n.must("feed", datasource.StateNothing)
		}
		if known, err := n.db.As(record.System).Count(n.t.Context(), n.db.Catalog().Table(datasource.FileTable), nil); err != nil || known != 2 {
			n.t.Errorf("%d records of one file: %v", known, err)
		}
	})
}

func TestAFileThatIsGoneWithItsCopyHoldsNothingUp(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", large("night"))
		if !n.stopped("feed", 0) {
			n.t.Fatal("it did not stop")
		}
		n.spool = filepath.Join(n.spool, "of another machine")
		if err := os.Remove(n.get(datasource.FileTable, "spool", "path", "/in/1.csv")); err != nil {
			n.t.Fatal(err)
		}
		delete(n.files, "/in/1.csv")
		n.restart()
		n.put("/in/2.csv", boxes("A1,one,1"))
		n.fails("feed", fault.NotFound, "its copy is not on this machine")
		n.holds("files", states(n.must("feed", datasource.StateDone)), "2.csv done")
	})
}

// What is absent is deleted in several transactions. Stopped in any of them, the next process ends where an undisturbed
// one would have, whatever has come to the place meanwhile.
func TestDeletingAbsentRecordsThatIsCutOffIsFinished(t *testing.T) {
	const gone = 1200 // more than one transaction
	eachShelf(t, func(t *testing.T, n *nights) {
		n.feed("on_absent", "delete", "absent_percent", "100", "absent_rows", fmt.Sprint(gone), "done_folder", "done")
		stops := []int{1, gone / 2, gone - 2}
		for _, after := range stops[:min(len(stops), cuts()/5)] {
			n.put("/in/all.csv", strings.ReplaceAll(boxes(rowsOf(0, gone, fmt.Sprint("before ", after))...), padding, ""))
			n.must("feed", datasource.StateDone)
			n.put("/in/one.csv", boxes(fmt.Sprintf("S00000,the last,%d", after)))
			ctx, stop := context.WithCancel(t.Context())
			deleted := 0
			n.busy = func() {
				if deleted++; deleted == after {
					stop()
				}
			}
			if _, err := n.s.Run(ctx, datasource.Request{Name: "feed", Actor: record.System}); fault.KindOf(err) != fault.Canceled || err == nil {
				t.Fatalf("stopped after %d of %d: %v", after, deleted, err)
			}
			stop()
			n.busy = nil
			n.put("/in/two.csv", boxes(fmt.Sprintf("S99999,new,%d", after))) // a part: what it does not hold is not absent
			n.restart()
			r := n.must("feed", datasource.StateDone)
			n.holds("files", states(r), "one.csv done, two.csv done")
			n.holds("boxes", n.boxes(), fmt.Sprintf("S00000:the last:%d S99999:new:%d", after, after))
			if a := r.Runs[0].Absent; a == nil || a.State != importset.AbsentDone || a.Kept != 0 {
				t.Errorf("stopped after %d: %+v", after, a)
			}
			n.sweep()
		}
	})
}

// sweep empties the target and the shelf.
func (n *nights) sweep() {
	n.t.Helper()
	clear(n.files)
	t := n.db.Catalog().Table("box")
	var ids []string
	for row, err := range n.db.As(record.System).Select(n.t.Context(), &record.Query{Table: t, Fields: []string{record.SysID}, Where: &query.Term{Field: "serial", Op: query.IsNotEmpty}}) {
		if err != nil {
			n.t.Fatal(err)
		}
		ids = append(ids, row[0].Text)
	}
	for _, id := range ids {
		if err := n.db.As(record.System).Delete(n.t.Context(), t, id); err != nil {
			n.t.Fatal(err)
		}
	}
}
