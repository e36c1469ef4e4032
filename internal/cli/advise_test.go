package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/cli"
	"headrace/internal/core/fault"
)

// adviseOn runs advise without a terminal.
func adviseOn(stdin string, args ...string) (stdout string, err error) {
	var out, errs bytes.Buffer
	c := cli.AdviseAt(strings.NewReader(stdin), &out, &errs, false)
	c.SetArgs(args)
	err = c.Execute()
	return out.String(), err
}

const servers = "../../demo/servers.yaml"

func TestAdviseSaysWhatTheFirstMinutePromises(t *testing.T) {
	out, err := adviseOn("", "--answers", servers)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"use     P1 file data source, nightly       80   rule M2: full set, no database access\n",
		"then    P5 they push to us                 60\n",
		"not     P2 database data source, nightly  100   needs read access to their database (no)\n",
		"flips   read access to their database -> P2 (100)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

func TestAdviseJSONHasThePromisedShape(t *testing.T) {
	out, err := adviseOn("initiator: us\noperation: create\n", "--answers", "-", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Command string
		OK      bool
		Error   any
		Result  map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil || !e.OK || e.Command != "advise" || e.Error != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if first, flips := string(e.Result["first"]), string(e.Result["flips"]); first != "null" || !strings.HasPrefix(flips, "[") {
		t.Errorf("first %s, flips %s", first, flips)
	}
	var ranked []map[string]any
	if err := json.Unmarshal(e.Result["ranked"], &ranked); err != nil || len(ranked) == 0 {
		t.Fatalf("ranked: %v", err)
	}
	for _, key := range []string{"pattern", "title", "feasible", "available", "score", "reasons", "missing"} {
		if _, found := ranked[0][key]; !found {
			t.Errorf("ranked has no %s", key)
		}
	}
}

func TestAdviseForms(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--classic"}, []string{"use     P1 file data source", "rule A4", "prefers database connection (B1)"}},
		{[]string{"-o", "markdown"}, []string{"# Use P1 file data source, nightly\n", "| not | P2 ", "## What would flip it\n\n- read access to their database -> P2 (100), rule M2\n"}},
		{[]string{"-o", "mermaid"}, []string{"flowchart TD\n", `q0 -->|"us"| q1`, `p1(["then: P5 they push to us, 60"])`, "row -.->|\"flips: "}},
	} {
		out, err := adviseOn("", append([]string{"--answers", servers}, c.args...)...)
		if err != nil {
			t.Fatalf("%v: %v", c.args, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", c.args, want, out)
			}
		}
	}
}

func TestAdviseWithoutTerminalNeverAsks(t *testing.T) {
	out, err := adviseOn("us\nread\n")
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.HintOf(err), "--answers") || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAdviseRefusesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		stdin, message string
		args           []string
	}{
		{"", "no answers", []string{"--answers", "-"}},
		{"initiator: us\noperation: read\nfil: yes\n", "standard input:3:1: unknown answer", []string{"--answers", "-"}},
		{"initiator: app\noperation: read\ntrigger: action\n", "contradicts", []string{"--answers", "-"}},
		{"", "answers file", []string{"--answers", "no/such.yaml"}},
		{"", "unknown output", []string{"--answers", servers, "-o", "pdf"}},
	} {
		_, err := adviseOn(c.stdin, c.args...)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.message) || fault.HintOf(err) == "" {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}

func TestAdviseSavesNowhereWithAHint(t *testing.T) {
	_, err := adviseOn("", "--answers", servers, "--save", filepath.Join(t.TempDir(), "no", "such", "folder.yaml"))
	if fault.KindOf(err) != fault.Unavailable || fault.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

// person types at the far end of pipes, one answer for each prompt.
type person struct {
	t      *testing.T
	screen io.Reader
	keys   io.Writer
	seen   strings.Builder
}

// reads what stands on the screen up to the next prompt.
func (p *person) reads() string {
	p.t.Helper()
	var text strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(text.String(), "\n> ") {
		if _, err := p.screen.Read(one); err != nil {
			p.t.Fatalf("no further prompt (%v) after\n%s%s", err, p.seen.String(), text.String())
		}
		text.Write(one)
	}
	p.seen.WriteString(text.String())
	return text.String()
}

func (p *person) types(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.keys, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

func TestAdviseInterview(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "answers.yaml")
	keysIn, keys := io.Pipe()
	screen, screenOut := io.Pipe()
	var out bytes.Buffer
	c := cli.AdviseAt(keysIn, &out, screenOut, true)
	c.SetArgs([]string{"--save", saved})
	done := make(chan error, 1)
	go func() {
		err := c.Execute()
		screenOut.Close()
		done <- err
	}()
	p := &person{t: t, screen: screen, keys: keys}
	for _, step := range []struct{ prompt, answer string }{
		{"Who starts the exchange", "done"},
		{"too early", "app"},
		{"create (write to the other) or read", "back"},
		{"Who starts the exchange", "back"},
		{"this is the first question", "uss"},
		{`did you mean "us"?`, "us"},
		{"create (write to the other) or read", "r"},
		{"One record at a time, or many", "?"},
		{"who would know: ", "many"},
		{"Once, or again and again", "2"},
		{"What starts a run", "interval"},
		{"Can we read the app's database", "why"},
		{"yes                    -> P2 database data source (100), rule M2", "no"},
		{"Can the app export to a file", "yes"},
		{"so far: P1 80 (row M2)", "done"},
	} {
		if text := p.reads(); !strings.Contains(text, step.prompt) {
			t.Errorf("before %q the screen says %q, want %q", step.answer, text, step.prompt)
		}
		p.types(step.answer)
	}
	if _, err := io.Copy(io.Discard, screen); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("%v after\n%s", err, p.seen.String())
	}
	if !strings.HasPrefix(out.String(), "use     P1 file data source, on a schedule") {
		t.Errorf("advice: %s", out.String())
	}
	checkSaved(t, saved, out.String())
}

// checkSaved gives the saved answers back and expects the same advice.
func checkSaved(t *testing.T, saved, advice string) {
	t.Helper()
	text, err := os.ReadFile(saved)
	if err != nil || !strings.HasPrefix(string(text), "initiator: us\noperation: read\nrecords: many\nfrequency: recurring\n") {
		t.Errorf("saved %q, %v", text, err)
	}
	if again, err := adviseOn("", "--answers", saved); err != nil || again != advice {
		t.Errorf("the saved answers give %s (%v), not %s", again, err, advice)
	}
}

func TestAdviseInterviewThatBreaksOff(t *testing.T) {
	var out, errs bytes.Buffer
	c := cli.AdviseAt(strings.NewReader("us\n"), &out, &errs, true)
	c.SetArgs(nil)
	if err := c.Execute(); fault.KindOf(err) != fault.Canceled || fault.HintOf(err) == "" || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestClassicInterviewAsksAsThePictureDoes(t *testing.T) {
	var out, errs bytes.Buffer
	c := cli.AdviseAt(strings.NewReader("app\ncreate\none\nno\nno\nyes\n"), &out, &errs, true)
	c.SetArgs([]string{"--classic"})
	if err := c.Execute(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if !strings.HasPrefix(out.String(), "use     P8 ODBC connector") || !strings.Contains(out.String(), "rule A9") {
		t.Errorf("%s", out.String())
	}
}
