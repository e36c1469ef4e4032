// Package conformance holds the statements about scripts that matter most to those that exist, each with a script that shows
// it. Whoever puts the product together runs them all: see Check and Page.
//
// The cases stand in files, one a section of the reference. A case is its title, a script, and what comes of it:
//
//	//# 5.8 months are clamped to the end of the month
//	var g = new GlideDateTime('2024-01-31 10:00:00'); g.addMonthsUTC(1); g.getValue()
//	//= 2024-02-29 10:00:00
//
// "//= text" is the last value as text, "//! text" a part of the error it fails with, "//~ why" says that the platform does
// otherwise, "//@ name" who acts. "//> expression" is evaluated when the script's transaction has committed and the jobs it
// gave rise to have run; the case then shows that. "//* alone" runs the script outside of any transaction. What stands
// before a line "//-" is run and committed first: the rules that the script then meets.
package conformance

import (
	"embed"
	"fmt"
	"regexp"
	"strings"

	"headrace/internal/core/fault"
)

//go:embed cases/*.js setup.js unsupported.txt
var files embed.FS

// Case is a statement with its script.
type Case struct {
	Section   string // of the reference
	Law       string
	Script    string
	Want      string // the text of the last value
	Fails     string // part of the error instead
	Deviation string // why it is otherwise than on the platform; "" where it is not
	As        string // name of the user; "" is the system
	Before    string // is run and committed before
	After     string // an expression that is what the case comes to, once the script has committed and all jobs have run
	Alone     string // not empty: runs outside of a transaction
	At        string // file and line, for failures
}

// Cases reads all cases, in the order of their files.
func Cases() ([]Case, error) {
	entries, err := files.ReadDir("cases")
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, e := range entries {
		text, err := files.ReadFile("cases/" + e.Name())
		if err != nil {
			return nil, err
		}
		cases, err := parse(e.Name(), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, cases...)
	}
	return all, nil
}

var quotedName = regexp.MustCompile("`([A-Za-z_$][\\w.$]*)`")

// Undefined lists the names that the page says are undefined.
func Undefined() []string {
	text, err := files.ReadFile("unsupported.txt")
	if err != nil {
		panic(err) // it is embedded
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		what, happens, _ := strings.Cut(line, ": undefined")
		if happens == "" {
			continue
		}
		for _, found := range quotedName.FindAllStringSubmatch(what, -1) {
			names = append(names, found[1])
		}
	}
	return names
}

// Setup is the script that makes the records which cases look at. It runs once, as the system, before them.
func Setup() string {
	text, err := files.ReadFile("setup.js")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

func parse(name, text string) ([]Case, error) {
	var all []Case
	var body []string
	end := func() {
		if len(all) > 0 {
			all[len(all)-1].Script = strings.TrimSpace(strings.Join(body, "\n"))
		}
		body = nil
	}
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", name, i+1)
		if title, found := strings.CutPrefix(line, "//# "); found {
			end()
			section, law, ok := strings.Cut(title, " ")
			if !ok {
				return nil, fault.New(fault.Invalid, "%s: a case needs a section and a title", at)
			}
			all = append(all, Case{Section: section, Law: law, At: at})
			continue
		}
		if line == "//-" && len(all) > 0 {
			all[len(all)-1].Before, body = strings.TrimSpace(strings.Join(body, "\n")), nil
			continue
		}
		if len(all) == 0 || !all[len(all)-1].take(line) {
			body = append(body, line)
		}
	}
	end()
	for _, c := range all {
		if c.Script == "" || c.Want == "" && c.Fails == "" {
			return nil, fault.New(fault.Invalid, "%s: the case has no script or nothing is expected", c.At)
		}
	}
	return all, nil
}

// take reads a line that says something about the case.
func (c *Case) take(line string) bool {
	for mark, to := range map[string]*string{"//= ": &c.Want, "//! ": &c.Fails, "//~ ": &c.Deviation, "//@ ": &c.As, "//> ": &c.After, "//* ": &c.Alone} {
		if text, found := strings.CutPrefix(line, mark); found {
			*to = text
			return true
		}
	}
	return false
}

// Check says what is wrong with what a case came to; "" when nothing is.
func (c *Case) Check(got string, err error) string {
	switch {
	case c.Fails != "" && err == nil:
		return fmt.Sprintf("it gave %q and did not fail with %q", got, c.Fails)
	case c.Fails != "" && !strings.Contains(err.Error(), c.Fails):
		return fmt.Sprintf("it failed with %q, not %q", err, c.Fails)
	case c.Fails != "":
		return ""
	case err != nil:
		return err.Error()
	case got != c.Want:
		return fmt.Sprintf("%q, not %q", got, c.Want)
	}
	return ""
}

// Page is the page of the documentation that the cases make.
func Page(cases []Case) (string, error) {
	unsupported, err := files.ReadFile("unsupported.txt")
	if err != nil {
		return "", err
	}
	var same, other strings.Builder
	for _, c := range cases {
		if c.Deviation != "" {
			fmt.Fprintf(&other, "| %s | %s | %s | %s |\n", c.Section, c.Law, cell(c.shown()), c.Deviation)
		} else {
			fmt.Fprintf(&same, "| %s | %s | %s | %s |\n", c.Section, c.Law, cell(c.shown()), result(c))
		}
	}
	return fmt.Sprintf(pageText, len(cases), other.String(), table(string(unsupported)), same.String()), nil
}

const pageText = `# What scripts can rely on

Written by ` + "`go test ./internal/app -run ConformancePage -update`" + `. Every line is a script of the tests, run on SQLite and on PostgreSQL
(%d cases); the test fails when this page and the cases differ. Sections are those of the behaviour it is compared with: 1
business rules, 2 events, 3 script includes, 5 the script API, 6 outbound calls. Types for editors: ` + "`headrace script types`" + `.

## Otherwise than the platform, on purpose

| section | what | script | why |
|---|---|---|---|
%s
## Not supported

| what | what happens |
|---|---|
%s
## Supported

| section | what | script | result |
|---|---|---|---|
%s`

// shown is the script as the page has it.
func (c *Case) shown() string {
	text := c.Script
	if c.Before != "" {
		text = c.Before + " /* then */ " + text
	}
	if c.After != "" {
		text += " /* then */ " + c.After
	}
	return text
}

// cell is a script on one line of a table.
func cell(script string) string {
	return "`` " + strings.ReplaceAll(strings.Join(strings.Fields(script), " "), "|", "\\|") + " ``"
}

func result(c Case) string {
	if c.Fails != "" {
		return "fails: " + strings.ReplaceAll(c.Fails, "|", "\\|")
	}
	return cell(c.Want)
}

// table makes rows of lines "what: what happens".
func table(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndex(line, ": "); at > 0 {
			what, happens := line[:at], line[at+2:]
			fmt.Fprintf(&b, "| %s | %s |\n", what, happens)
		}
	}
	return b.String()
}
