// Package scaffold turns advice into a project that works: files of configuration for the way of integrating that the
// advisor recommends, with a double of the partner and tests. What a pattern begins with is data: a folder of templates.
package scaffold

import (
	"bytes"
	"embed"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

//go:embed patterns
var files embed.FS

// folders are the template folders of each pattern that has a scaffold; files of a later one replace those of an earlier.
var folders = map[string][]string{
	"P1": {"why", "trigger", "pull", "P1"},
	"P2": {"why", "trigger", "pull", "P2"},
	"P3": {"why", "P3"},
	"P4": {"why", "trigger", "pull", "P4"},
	"P9": {"why", "trigger", "P9"},
}

// Patterns lists the patterns that have a scaffold, in order.
func Patterns() []string {
	var all []string
	for id := range folders {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// Draft is a project that is not written yet.
type Draft struct {
	Pattern string
	Name    string
	Files   map[string][]byte // by their path in the folder, with slashes
	Next    []string          // commands to go on with, in order; DIR stands for the folder
}

// facts are what the templates see.
type facts struct {
	Name, Slug, Label, Env, Class string // partner-servers, partner_servers, Partner servers, PARTNER_SERVERS, PartnerServers
	Advice                        advisor.Result
	Choice                        advisor.Choice
	Answers                       [][2]string
	Interval                      bool // it runs by itself, again and again
	Triggered                     bool // a change of a record here starts it
	Closing                       bool // that change is a task that closes
	Changes                       bool // only what has changed travels
	Absent                        bool // what is missing in a full set is gone over there
	Push                          bool // we write there; else what is asked for is written here
}

// nameForm is the form of a project's name. It is also part of names of tables, which end at 80 characters.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

const longestName = 40

// Make drafts the project for a pattern that the advice found feasible; "" is the one that it recommends. A pattern that
// is closed, or has no scaffold, is refused with what to do instead.
func Make(advice advisor.Result, pattern, name string) (*Draft, error) {
	if !nameForm.MatchString(name) || len(name) > longestName {
		return nil, fault.New(fault.Invalid, "%q cannot name a project", name).
			WithHint("lower-case letters, digits and hyphens, a letter first, %d characters at most: --name NAME", longestName)
	}
	choice, err := choose(advice, pattern)
	if err != nil {
		return nil, err
	}
	d := &Draft{Pattern: choice.Pattern, Name: name, Files: map[string][]byte{}}
	f := factsOf(advice, choice, name)
	shared, err := blocks(folders[choice.Pattern])
	if err != nil {
		return nil, err
	}
	for _, folder := range folders[choice.Pattern] {
		if err := d.render(shared, path.Join("patterns", folder), f); err != nil {
			return nil, err
		}
	}
	d.takeNext()
	return d, nil
}

func choose(advice advisor.Result, pattern string) (*advisor.Choice, error) {
	if advice.First == nil {
		return nil, fault.New(fault.Invalid, "there is nothing to build: %s", advice.Cannot()).WithHint("the lines `unlocks` of the advice say what would open a way")
	}
	if pattern == "" {
		pattern = *advice.First
	}
	at := slices.IndexFunc(advice.Ranked, func(c advisor.Choice) bool { return c.Pattern == pattern })
	switch {
	case at < 0:
		return nil, fault.New(fault.Invalid, "%s is no way of doing this", pattern).WithHint("one of %s", strings.Join(buildable(advice), ", "))
	case !advice.Ranked[at].Feasible:
		return nil, fault.New(fault.Invalid, "%s is closed: needs %s", pattern, strings.Join(advice.Ranked[at].Missing, ", ")).
			WithHint("change the answers, or take another with --pattern: %s", strings.Join(buildable(advice), ", "))
	case folders[pattern] == nil:
		return nil, withoutScaffold(advice, advice.Ranked[at])
	}
	return &advice.Ranked[at], nil
}

// withoutScaffold says of a pattern that nothing is drafted for it, and what helps.
func withoutScaffold(advice advisor.Result, c advisor.Choice) error {
	refused := fault.New(fault.Invalid, "nothing can be drafted for %s %s: %s", c.Pattern, c.Title, c.Note)
	if others := buildable(advice); len(others) > 0 {
		return refused.WithHint("the next best that can be drafted: --pattern %s", others[0])
	}
	return refused.WithHint("`headrace advise` without --create tells what it is made of")
}

// buildable lists the feasible patterns that have a scaffold, best first.
func buildable(advice advisor.Result) []string {
	var ids []string
	for _, c := range advice.Ranked {
		if c.Feasible && folders[c.Pattern] != nil {
			ids = append(ids, c.Pattern)
		}
	}
	return ids
}

func factsOf(advice advisor.Result, choice *advisor.Choice, name string) facts {
	full := advice.Situation()
	words := strings.ReplaceAll(name, "-", " ")
	slug := strings.ReplaceAll(name, "-", "_")
	triggered := full["frequency"] == "recurring" && (full["trigger"] == "action" || full["trigger"] == "task-closing")
	return facts{
		Name: name, Slug: slug, Label: strings.ToUpper(words[:1]) + words[1:], Env: strings.ToUpper(slug), Class: class(name),
		Advice: advice, Choice: *choice, Answers: known(full),
		Interval:  full["frequency"] != "one-time" && !triggered,
		Triggered: triggered, Closing: triggered && full["trigger"] == "task-closing",
		Changes: slices.Contains([]string{"modified-stamp", "sequence", "change-feed"}, full["changes"]),
		Absent:  full["deletes"] == "absent",
		Push:    full["operation"] == "create" && full["initiator"] == "us",
	}
}

// blocksFile defines texts that templates of the same pattern share.
const blocksFile = "blocks"

func blocks(folders []string) (*template.Template, error) {
	shared := template.New(blocksFile).Delims("[[", "]]").Option("missingkey=error")
	for _, folder := range folders {
		source, err := files.ReadFile(path.Join("patterns", folder, blocksFile))
		if err != nil {
			continue // not every folder has some
		}
		if _, err := shared.Parse(string(source)); err != nil {
			return nil, err
		}
	}
	return shared, nil
}

// class is a name as script includes are called: PartnerServers.
func class(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// known lists the answers that somebody knew, or that were guessed.
func known(full advisor.Answers) [][2]string {
	return slices.DeleteFunc(full.Given(), func(given [2]string) bool { return given[1] == "unknown" })
}

// render adds the files of a template folder. In their paths NAME, SLUG and CLASS stand for the name; a file that comes out
// empty is not wanted in this situation.
func (d *Draft) render(shared *template.Template, folder string, f facts) error {
	return fs.WalkDir(files, folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == blocksFile {
			return err
		}
		source, err := files.ReadFile(file)
		if err != nil {
			return err
		}
		t, err := template.Must(shared.Clone()).New(file).Parse(string(source))
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, f); err != nil {
			return err
		}
		place := strings.NewReplacer("NAME", f.Name, "SLUG", f.Slug, "CLASS", f.Class).Replace(strings.TrimPrefix(file, folder+"/"))
		if text := bytes.TrimSpace(out.Bytes()); len(text) > 0 {
			d.Files[place] = append(text, '\n')
		} else {
			delete(d.Files, place)
		}
		return nil
	})
}

// nextFile holds the commands to go on with, and is no file of the project.
const nextFile = "next"

func (d *Draft) takeNext() {
	for line := range strings.Lines(string(d.Files[nextFile])) {
		d.Next = append(d.Next, strings.TrimSpace(line))
	}
	delete(d.Files, nextFile)
}
