package datasource_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

func TestFilesComeInOldestFirstAndGoAsideOnlyWhenTransformed(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed("done_folder", "done", "error_folder", "/bad")
		n.put("/in/z.csv", boxes("A1,old,1"))
		n.put("/in/a.csv", boxes("A1,new,2", "A2,two,2"))
		r := n.must("feed", datasource.StateDone)
		n.holds("files", states(r), "z.csv done, a.csv done")
		n.holds("boxes", n.boxes(), "A1:new:2 A2:two:2")
		n.holds("shelf", n.names(), "/in/done/a.csv /in/done/z.csv")
		n.must("feed", datasource.StateNothing)

		n.put("/in/b.csv", "PK\x03\x04 no text at all")
		n.put("/in/c.csv", boxes("A3,three,3"))
		n.fails("feed", fault.Invalid, "b.csv")
		n.holds("boxes after a failure", n.boxes(), "A1:new:2 A2:two:2")
		n.holds("shelf after a failure", n.names(), "/bad/b.csv /bad/b.csv.error.txt /in/c.csv /in/done/a.csv /in/done/z.csv")
		if text := n.files["/bad/b.csv.error.txt"].text; !strings.Contains(text, "ZIP archive") || !strings.Contains(text, "SHA-256") {
			n.t.Errorf("the text beside the file: %q", text)
		}
		n.holds("files after that", states(n.must("feed", datasource.StateDone)), "c.csv done")
	})
}

func TestAFailureHoldsUpWhatComesBehindIt(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", "%PDF-1.7 what is this")
		n.put("/in/2.csv", boxes("A1,one,1"))
		for range 2 {
			n.fails("feed", fault.Invalid, "1.csv")
			n.holds("boxes", n.boxes(), "")
		}
		n.put("/in/1.csv", boxes("A1,mended,1")) // it is the younger now
		n.holds("files", states(n.must("feed", datasource.StateDone)), "2.csv done, 1.csv done")
		n.holds("boxes", n.boxes(), "A1:mended:1")
	})
}

func TestARedeliveryIsKnownByItsContent(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		first := boxes("A1,one,1")
		n.put("/in/1.csv", first)
		n.must("feed", datasource.StateDone)
		n.put("/in/2.csv", first) // the same under another name
		n.put("/in/1.csv", first) // and once more under its own
		r := n.must("feed", datasource.StateNothing)
		n.holds("the same bytes", states(r), "2.csv duplicate, 1.csv duplicate")
		if !strings.Contains(r.Files[0].Reason, "imported by run 1") || len(r.Runs) != 0 {
			n.t.Errorf("%+v", r)
		}
		n.put("/in/1.csv", boxes("A1,other,1"))
		n.holds("other bytes of the same name", states(n.must("feed", datasource.StateDone)), "1.csv done")
		n.holds("boxes", n.boxes(), "A1:other:1")
		opened := len(n.opened)
		n.must("feed", datasource.StateNothing)
		if len(n.opened) != opened {
			n.t.Error("files that are known as they are listed are fetched again")
		}

		id := n.get("sys_data_source", "sys_id", "name", "feed")
		set := func(value string) {
			if _, _, err := n.db.As(record.System).Update(n.t.Context(), n.db.Catalog().Table("sys_data_source"), id, []record.Assignment{{Field: "redelivery", Value: record.Text(value)}}); err != nil {
				n.t.Fatal(err)
			}
		}
		set("reject")
		n.put("/in/3.csv", first)
		n.fails("feed", fault.Refused, "the same bytes came as 1.csv")
		set("process")
		n.must("feed", datasource.StateDone)
		n.holds("boxes", n.boxes(), "A1:one:1")
	})
}

func TestOnlyTheNewestIsTakenAndNeverAnOlderOneAfterIt(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed("pick", "newest", "done_folder", "done")
		n.put("/in/1.csv", boxes("A1,old,1"))
		n.put("/in/2.csv", boxes("A1,new,1"))
		n.holds("files", states(n.must("feed", datasource.StateDone)), "2.csv done")
		n.must("feed", datasource.StateNothing)
		n.holds("boxes", n.boxes(), "A1:new:1")
	})
}

func TestAFileIsReadyWithItsControlFileAndWhole(t *testing.T) {
	text := boxes("A1,one,1", "A2,two,2")
	sum, short := fmt.Sprintf("%x", sha256.Sum256([]byte(text))), fmt.Sprintf("%x", md5.Sum([]byte(text)))
	for name, c := range map[string]struct{ control, checksum, wrong string }{
		"empty":                {"", "auto", ""},
		"words":                {"done by the nightly job", "auto", ""},
		"sha256 alone":         {strings.ToUpper(sum), "auto", ""},
		"sha256sum":            {"0000 other.csv\n" + sum + " *1.csv\n", "required", ""},
		"md5":                  {short + "  out/1.csv", "auto", ""},
		"json":                 {`{"name": "1.csv", "sha256": "` + sum + `", "count": 2, "size": ` + fmt.Sprint(len(text)) + `}`, "required", ""},
		"other sha256":         {strings.Repeat("0", 64), "auto", "SHA-256"},
		"other md5":            {strings.Repeat("0", 32), "auto", "MD5"},
		"other and not looked": {strings.Repeat("0", 64), "none", ""},
		"other size":           {`{"size": 7}`, "auto", "7 bytes"},
		"other count":          {`{"rows": 3}`, "auto", "says 3 rows, and it has 2"},
		"another file":         {`{"file": "2.csv", "count": 2}`, "auto", "is about 2.csv"},
		"no json":              {`{"file": `, "auto", "no JSON"},
		"nothing to hold":      {"", "required", "no checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			oneShelf(t, func(_ *testing.T, n *nights) {
				n.feed("ready", "control", "checksum", c.checksum, "done_folder", "done")
				n.put("/in/1.csv", text)
				n.put("/in/2.csv", boxes("A9,not ready,9"))
				if r := n.must("feed", datasource.StateWaiting); !strings.Contains(r.Message, "1.csv") {
					n.t.Errorf("it waits for %q", r.Message)
				}
				n.put("/in/1.csv.ok", c.control)
				if c.wrong != "" {
					n.fails("feed", fault.Invalid, c.wrong)
					n.holds("boxes", n.boxes(), "")
					return
				}
				n.holds("files", states(n.must("feed", datasource.StateDone)), "1.csv done")
				n.holds("shelf", n.names(), "/in/2.csv /in/done/1.csv /in/done/1.csv.ok")
			})
		})
	}
}

func TestAFileIsReadyWhenItIsQuiet(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed("ready", "quiet", "quiet_period", "2m")
		n.put("/in/1.csv", boxes("A1,half"))
		n.must("feed", datasource.StateWaiting)
		n.now = n.now.Add(90 * time.Second)
		n.put("/in/1.csv", boxes("A1,whole,1"))
		n.must("feed", datasource.StateWaiting)
		n.now = n.now.Add(119 * time.Second)
		n.must("feed", datasource.StateWaiting)
		n.now = n.now.Add(time.Second)
		n.holds("files", states(n.must("feed", datasource.StateDone)), "1.csv done")
		n.holds("boxes", n.boxes(), "A1:whole:1")
	})
}

func packed(t *testing.T, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHalfAFileIsNeverImported(t *testing.T) {
	eachShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		whole := packed(t, boxes(rowsOf(0, 20, "night")...))
		n.put("/in/1.csv", whole[:len(whole)*2/3]) // the upload stands still
		n.fails("feed", fault.Invalid, "1.csv")
		n.holds("boxes of a cut gzip", n.boxes(), "")
		n.put("/in/1.csv", whole)
		n.must("feed", datasource.StateDone)

		n.put("/in/2.csv", boxes("B1,half"))
		n.meddle = func() { n.put("/in/2.csv", boxes("B1,whole,1", "B2,two,2")) }
		n.must("feed", datasource.StateDone)
		if !strings.HasPrefix(n.boxes(), "B1:whole:1 B2:two:2 S00000") {
			n.t.Errorf("%.60s", n.boxes())
		}
		again := func() {}
		again = func() { n.put("/in/3.csv", boxes("C1,"+n.now.String()+",1")); n.meddle = again }
		n.put("/in/3.csv", boxes("C1,never,1"))
		n.meddle = again
		n.fails("feed", fault.Unavailable, "changes while it is fetched")
		n.meddle = nil
		if strings.Contains(n.boxes(), "C1") {
			n.t.Error("a file that never stood still is imported")
		}
	})
}

func TestATransferGoesOnWhereItBroke(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", boxes("A1,one,1", "A2,two,2"))
		n.cuts = []int64{20, 3, 0, 5}
		n.must("feed", datasource.StateDone)
		n.holds("opened from", fmt.Sprint(n.opened), "[0 20 23 23 28]")

		n.opened = nil
		n.put("/in/2.csv", boxes("B1,one,1"))
		n.cuts = []int64{20, 0, 0, 0, 0, 0, 0, 0}
		n.fails("feed", fault.Unavailable, "the connection broke")
		n.cuts = nil
		n.restart()
		n.holds("files", states(n.must("feed", datasource.StateDone)), "2.csv done")
		n.holds("opened from", fmt.Sprint(n.opened[len(n.opened)-1]), "20")
		n.holds("boxes", n.boxes(), "A1:one:1 A2:two:2 B1:one:1")
	})
}

func TestAFileThatCannotBeGoneOnWithIsReadAnewAndItsEndIsNotTakenForAChange(t *testing.T) {
	oneShelf(t, func(_ *testing.T, n *nights) {
		n.feed()
		n.files["/in/1.csv"] = &lying{text: boxes("A1,one,1")}
		n.cuts = []int64{5, 5, 5}
		n.fails("feed", fault.Unavailable, "the connection broke")
		n.cuts = []int64{5, 5}
		n.must("feed", datasource.StateDone)
		n.holds("boxes", n.boxes(), "A1:one:1")
	})
}

// stopped runs a source that is stopped after some steps of its import; it reports whether it was.
func (n *nights) stopped(name string, after int64) bool {
	n.t.Helper()
	ctx, stop := context.WithCancel(n.t.Context())
	defer stop()
	var steps atomic.Int64
	step := func(*importset.Run) {
		if steps.Add(1) > after {
			stop()
		}
	}
	_, err := n.s.Run(ctx, datasource.Request{Name: name, Actor: record.System, Began: step, Progress: step})
	if err != nil && fault.KindOf(err) != fault.Canceled {
		n.t.Fatal(err)
	}
	return err != nil
}

func cuts() int {
	if os.Getenv("HEADRACE_SOAK") != "" {
		return 200
	}
	return 10
}

func TestAnImportOfFilesThatStopsAnywhereEndsAsIfItHadNot(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.feed("done_folder", "done")
		for night := range cuts() / 5 { // the kinds there are are cut more often
			name, after := fmt.Sprintf("night %d", night), rand.Int64N(4)
			n.put(fmt.Sprintf("/in/%03d.csv", night), large(name))
			if !n.stopped("feed", after) && after == 0 {
				n.t.Fatal("it did not stop")
			}
			n.restart()
			if _, err := n.run("feed"); err != nil {
				n.t.Fatalf("%s, stopped after %d steps: %v", name, after, err)
			}
			n.holds("files put aside", fmt.Sprint(strings.Count(n.names(), "/in/done/")), fmt.Sprint(night+1))
			n.holds(fmt.Sprintf("%s, stopped after %d steps", name, after), n.count(name), fmt.Sprintf("%d of %d", many, many))
		}
		n.holds("unfinished", n.get("sys_data_source_file", "path", "state", datasource.FileFetched), "")
	})
}

func TestASourceIsBroughtInByOneAtATime(t *testing.T) {
	eachShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", boxes("A1,one,1"))
		var second error
		_, err := n.s.Run(t.Context(), datasource.Request{Name: "feed", Actor: record.System, Began: func(*importset.Run) {
			_, second = n.s.Run(context.WithoutCancel(t.Context()), datasource.Request{Name: "feed", Actor: record.System})
		}})
		if err != nil || fault.KindOf(second) != fault.Conflict {
			t.Errorf("%v, and the second %v", err, second)
		}
		n.must("feed", datasource.StateNothing)
	})
}
