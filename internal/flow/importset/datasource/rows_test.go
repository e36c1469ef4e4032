package datasource_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/importset/datasource"
)

// stream saves a source over the rows of the shelf: those of a database, or, as a listing, of a service.
func (n *nights) stream(kind string, settings ...string) {
	n.t.Helper()
	n.make("sys_data_source", append([]string{"name", kind, "connection_url", kind + "://host/boxes", "import_set_table_name", "imp_box"}, settings...)...)
}

func (n *nights) fill(rows ...string) { n.lines = append([]string{"serial,name,cost"}, rows...) }

func (n *nights) mark(name string) string {
	return n.get("sys_data_source", "last_run_datetime", "name", name)
}

func TestTheMarkAdvancesOnlyWithRowsThatAreTransformed(t *testing.T) {
	for _, kind := range []string{"stream", "listing"} {
		t.Run(kind, func(t *testing.T) {
			eachShelf(t, func(_ *testing.T, n *nights) {
				n.stream(kind, "use_last_run_datetime", "true", "last_run_database_field", "serial")
				n.fill("A1,one,1", "A2,two,2")
				if r := n.must(kind, datasource.StateDone); r.Mark != "A2" {
					n.t.Errorf("the mark is %q", r.Mark)
				}
				n.holds("mark", n.mark(kind), "A2")
				n.fill("A1,changed behind the mark,1", "A2,zwei,2", "A3,three,3", "A4,four,4")
				n.rowCuts = []int{2}
				n.fails(kind, fault.Unavailable, "the connection broke")
				n.holds("mark after a failure", n.mark(kind), "A2")
				n.restart()
				n.must(kind, datasource.StateDone)
				n.holds("mark", n.mark(kind), "A4")
				n.holds("read since", fmt.Sprint(n.since), "[ A2 A2]")
				n.holds("boxes", n.boxes(), "A1:one:1 A2:zwei:2 A3:three:3 A4:four:4")
			})
		})
	}
}

func TestRejectedRowsHoldTheMarkWhereThatIsSaid(t *testing.T) {
	for rule, want := range map[string]string{"advance": "A2", "hold": ""} {
		t.Run(rule, func(t *testing.T) {
			eachShelf(t, func(_ *testing.T, n *nights) {
				n.stream("stream", "use_last_run_datetime", "true", "on_rejected", rule)
				n.fill("A1,one,1", "A2,two,two")
				n.must("stream", datasource.StateDone)
				n.holds("mark", n.mark("stream"), want)
				n.holds("boxes", n.boxes(), "A1:one:1")
			})
		})
	}
}

func TestAListingIsWholeOrNothing(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.stream("listing")
		n.fill(rowsOf(0, 50, "first")...)
		for cut := range 10 {
			n.rowCuts = []int{cut * 5}
			n.fails("listing", fault.Unavailable, "the connection broke")
		}
		n.total = 51
		n.fails("listing", fault.Unavailable, "it has 51 rows, and gave 50")
		n.holds("runs", n.get("sys_import_set", "run", "state", "done")+n.get("sys_import_set", "run", "state", "halted"), "")
		n.holds("boxes", n.boxes(), "")
		n.total = 50
		n.must("listing", datasource.StateDone)
		n.holds("boxes", fmt.Sprint(strings.Count(n.boxes(), "first")), "50")
	})
}

func TestAListingThatWasGatheredIsFinishedBeforeTheNext(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.stream("listing")
		n.fill(rowsOf(0, many, "first")...)
		if !n.stopped("listing", 0) {
			n.t.Fatal("it did not stop")
		}
		n.fill(rowsOf(many-1, many+1, "second")...)
		n.restart()
		if r := n.must("listing", datasource.StateDone); len(r.Runs) != 2 || r.Runs[0].Ledger.Read != many || r.Runs[1].Ledger.Read != 2 {
			n.t.Fatalf("%+v", r.Runs)
		}
		got := n.boxes()
		n.holds("boxes", fmt.Sprint(strings.Count(got, "first"), strings.Count(got, "second")), fmt.Sprint(many-1, 2))
	})
}

func TestRowsCutAnywhereEndAsIfTheyHadNotBeen(t *testing.T) {
	for _, kind := range []string{"stream", "listing"} {
		t.Run(kind, func(t *testing.T) {
			eachShelf(t, func(_ *testing.T, n *nights) {
				n.stream(kind)
				for night := range cuts() / 5 { // the kinds there are are cut more often
					name := fmt.Sprintf("night %d", night)
					n.fill(rowsOf(0, many, name)...)
					n.rowCuts = []int{rand.IntN(many)}
					n.fails(kind, fault.Unavailable, "the connection broke")
					n.restart()
					n.must(kind, datasource.StateDone)
					n.holds(name, n.count(name), fmt.Sprintf("%d of %d", many, many))
				}
			})
		})
	}
}

func TestAStreamThatChangedSinceItWasCutIsReadAnew(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.stream("stream")
		n.fill(rowsOf(0, many, "first")...)
		n.rowCuts = []int{many - 10}
		n.fails("stream", fault.Unavailable, "the connection broke")
		n.fill(append([]string{"A0,inserted at the front,0"}, rowsOf(0, many, "second")...)...)
		n.restart()
		r := n.must("stream", datasource.StateDone)
		n.holds("message of the old run", n.get("sys_import_set", "message", "run", "1"), "superseded by run 2: the source has changed since it began")
		n.holds("state of the old run", n.get("sys_import_set", "state", "run", "1"), string(importset.Cancelled))
		got := n.boxes()
		n.holds("boxes", fmt.Sprint(strings.Count(got, "first"), strings.Count(got, "second"), strings.Count(got, "inserted")), fmt.Sprint(0, many, 1))
		if last := r.Runs[len(r.Runs)-1]; last.Number != 2 || last.Ledger.Read != many+1 {
			n.t.Errorf("run %d: %s", last.Number, last.Ledger)
		}
	})
}

func TestWithoutAKeyAChangedStreamIsNotReadTwice(t *testing.T) {
	eachShelf(t, func(_ *testing.T, n *nights) {
		n.mapping("imp_all", false)
		n.make("sys_data_source", "name", "stream", "connection_url", "stream://host/boxes", "import_set_table_name", "imp_all")
		n.fill(rowsOf(0, many, "first")...)
		n.rowCuts = []int{many - 10}
		n.fails("stream", fault.Unavailable, "the connection broke")
		n.fill(append([]string{"A0,inserted at the front,0"}, rowsOf(0, many, "first")...)...)
		n.fails("stream", fault.Conflict, "is not what run 1 began to import")
		n.fill(rowsOf(0, many, "first")...)
		n.must("stream", datasource.StateDone)
		n.holds("boxes", fmt.Sprint(strings.Count(n.boxes(), "first")), fmt.Sprint(many))
	})
}

func TestWhatASourceLacksIsSaidBeforeAnythingIsReachedFor(t *testing.T) {
	for name, c := range map[string]struct {
		url, field, value string
		kind              fault.Kind
		says, hint        string
	}{
		"scheme":        {"sehlf://host/x", "", "", fault.Invalid, "no source at sehlf://", `did you mean shelf://?`},
		"option":        {"shelf://host/x", "options", `{"hots_key": "x"}`, fault.Invalid, `has no option "hots_key"`, `did you mean "host_key"?`},
		"options":       {"shelf://host/x", "options", `["x"]`, fault.Invalid, "no JSON object of texts", `{"name": "value"}`},
		"duration":      {"shelf://host/x", "quiet_period", "soon", fault.Invalid, "no duration", "90s"},
		"credential":    {"shelf://host/x", "credential", "nobody", fault.NotFound, `no credential "nobody"`, "sys_auth_profile_basic"},
		"address":       {"shelf://ho st:s3cret@x:y/", "", "", fault.Invalid, "cannot be read", "HEADRACE_SOURCE_PASSWORD"},
		"staging":       {"stream://host/x", "import_set_table_name", "imp_none", fault.Invalid, "no active transform map", "source_table is imp_none"},
		"inactive":      {"shelf://host/x", "active", "false", fault.Refused, "is not active", "active"},
		"control files": {"shelf://host/x", "ready", "control", fault.Invalid, "no control_suffix", ".ok"},
	} {
		t.Run(name, func(t *testing.T) {
			oneShelf(t, func(_ *testing.T, n *nights) {
				values := map[string]string{"name": "x", "connection_url": c.url, "import_set_table_name": "imp_box", "control_suffix": ""}
				if c.field != "" {
					values[c.field] = c.value
				}
				var pairs []string
				for f, v := range values {
					pairs = append(pairs, f, v)
				}
				n.make("sys_data_source", pairs...)
				_, err := n.run("x")
				if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) || strings.Contains(err.Error()+fault.HintOf(err), "s3cret") {
					n.t.Errorf("%v (%s); %s", err, fault.KindOf(err), fault.HintOf(err))
				}
				if len(n.opened)+len(n.since) > 0 {
					n.t.Error("the source was reached for")
				}
			})
		})
	}
}

func TestPasswordsOfAddressesAreNeverShown(t *testing.T) {
	oneShelf(t, func(t *testing.T, n *nights) {
		n.make("sys_data_source", "name", "x", "connection_url", "stream://reader:s3cret@host/boxes?token=s3cret&page=7", "import_set_table_name", "imp_box")
		n.fill("A1,one,1")
		shown, err := n.s.Describe(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		checked, err := n.s.Test(t.Context(), "x")
		if err != nil || !checked.OK {
			t.Fatalf("%+v, %v", checked, err)
		}
		opened, err := n.s.Open(t.Context(), "stream://reader:s3cret@host/boxes?token=s3cret&page=7", datasource.Given{})
		if err != nil {
			t.Fatal(err)
		}
		n.holds("name", opened.Name, "stream://reader@host/boxes?page=7&token=***")
		all := fmt.Sprintf("%+v %+v %s", shown, checked, n.s.Show("stream://reader:s3 cret@host/%zz"))
		if strings.Contains(all, "s3") || !strings.Contains(all, "token=***") {
			t.Error(all)
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnApprovedHostKeyIsUsedUnlessTheOptionsNameOne(t *testing.T) {
	oneShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		n.put("/in/1.csv", boxes("A1,one,1"))
		for _, step := range []struct{ options, accept, want string }{
			{"", "", ""}, {"", "SHA256:a", "SHA256:a"}, {`{"host_key": "SHA256:b"}`, "", "SHA256:b"}, {"", "SHA256:c", "SHA256:c"}, {"{}", "", "SHA256:a"},
		} {
			if step.options != "" {
				n.set(datasource.SourceTable, "name", "feed", "options", step.options)
			}
			if step.accept != "" {
				if err := n.s.Accept(t.Context(), record.System, "feed", step.accept); err != nil {
					t.Fatal(err)
				}
			}
			if checked, err := n.s.Test(t.Context(), "feed"); err != nil || !checked.OK || n.key != step.want {
				t.Errorf("%+v: the key is %q: %+v %v", step, n.key, checked, err)
			}
		}
	})
}

func TestWhatASourceWarnsOfIsSaidBeforeItIsUsed(t *testing.T) {
	oneShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		n.stream("stream")
		n.stream("listing")
		n.put("/in/1.csv", boxes("A1,one,1"))
		n.fill("A1,one,1")
		n.says = []string{"anybody can take a book away"}
		for _, name := range []string{"feed", "stream", "listing"} {
			var said []string
			hear := func(note string) { said = append(said, note) }
			opened, err := n.s.Open(t.Context(), name, datasource.Given{Notes: hear})
			if err == nil {
				err = opened.Close()
			}
			if err == nil {
				_, err = n.s.Run(t.Context(), datasource.Request{Name: name, Actor: record.System, Notes: hear})
			}
			checked, failed := n.s.Test(t.Context(), name)
			if err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			n.holds(name, strings.Join(append(said, checked.Warnings...), "; "), strings.Repeat(n.says[0]+"; ", 2)+n.says[0])
		}
	})
}

func TestASampleAndATestWriteNothing(t *testing.T) {
	eachShelf(t, func(t *testing.T, n *nights) {
		n.feed()
		n.stream("stream", "use_last_run_datetime", "true")
		n.fill("A1,one,1", "A2,two,2", "A3,three,3")
		n.put("/in/1.csv", boxes("B1,one,1", "B2,two,2"))
		for name, want := range map[string]string{"stream": "A1 A2", "feed": "B1 B2"} {
			s, err := n.s.Sample(t.Context(), name, 2)
			if err != nil || len(s.Rows) != 2 {
				t.Fatalf("%+v, %v", s, err)
			}
			n.holds("sample", s.Rows[0][0].Text+" "+s.Rows[1][0].Text, want)
			checked, err := n.s.Test(t.Context(), name)
			if err != nil || !checked.OK {
				t.Errorf("%+v, %v", checked, err)
			}
		}
		n.holds("written", n.boxes()+n.get("sys_import_set", "run", "run", "1")+n.get("sys_data_source_file", "path", "state", "seen")+n.mark("stream"), "")
		n.files["/in/1.csv"].text = "%PDF-1.7"
		checked, err := n.s.Test(t.Context(), "feed")
		if last := checked.Steps[len(checked.Steps)-1]; err != nil || checked.OK || last.What != "content" || last.Hint == "" {
			t.Errorf("%+v, %v", checked, err)
		}
	})
}

func TestOthersThanAdministratorsNameOnlyPublicAddresses(t *testing.T) {
	oneShelf(t, func(t *testing.T, n *nights) {
		for _, ref := range []string{"shelf://host/in/1.csv", "stream://host/boxes", "/in/1.csv", "../1.csv"} {
			if _, err := n.s.Open(t.Context(), ref, datasource.Given{Outside: true}); fault.KindOf(err) != fault.Denied && fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s: %v", ref, err)
			}
		}
		n.stream("stream")
		n.fill("A1,one,1")
		opened, err := n.s.Open(t.Context(), "stream", datasource.Given{Outside: true})
		if err != nil || opened.Saved != "stream" || len(opened.Maps) != 1 {
			t.Fatalf("%+v, %v", opened, err)
		}
		if _, err := n.s.Open(t.Context(), "stream", datasource.Given{Outside: true, Password: "x"}); fault.KindOf(err) != fault.Denied {
			t.Error(err)
		}
		if _, err := n.s.Open(t.Context(), "stream", datasource.Given{Options: map[string]string{"watermrak": "x"}}); fault.HintOf(err) != `did you mean "watermark"?` {
			t.Errorf("%v; %s", err, fault.HintOf(err))
		}
	})
}
