package cli

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
	"headrace/internal/flow/advisor/scaffold"
)

// created is the project that --create has written.
type created struct {
	Folder  string   `json:"folder"`
	Pattern string   `json:"pattern"`
	Files   []string `json:"files"`
	Next    []string `json:"next"` // commands to go on with
}

// create drafts the project that the advice recommends and writes it, all of it or nothing.
func (o adviseOptions) create(advice advisor.Result) (*created, error) {
	if o.classic {
		return nil, fault.New(fault.Invalid, "the classic pictures name no project").WithHint("leave out --classic")
	}
	name := o.name
	if name == "" {
		name = projectName(o.dir)
	}
	draft, err := scaffold.Make(advice, strings.ToUpper(o.pattern), name)
	if err != nil {
		return nil, err
	}
	if err := writeNew(o.dir, draft.Files); err != nil {
		return nil, err
	}
	c := &created{Folder: o.dir, Pattern: draft.Pattern, Files: slices.Sorted(maps.Keys(draft.Files))}
	for _, command := range draft.Next {
		c.Next = append(c.Next, strings.ReplaceAll(command, "DIR", shellWord(o.dir)))
	}
	return c, nil
}

var betweenWords = regexp.MustCompile(`[^a-z0-9]+`)

var plainWord = regexp.MustCompile(`^[\w./@:+,-]+$`)

// projectName is the name of a folder as a project has it.
func projectName(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return strings.Trim(betweenWords.ReplaceAllString(strings.ToLower(filepath.Base(full)), "-"), "-")
}

// writeNew makes a folder with these files. They are written beside it first, so that there is never half of them.
func writeNew(dir string, files map[string][]byte) error {
	if err := vacant(dir); err != nil {
		return err
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder %s", dir)
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of %s cannot be made", dir)
	}
	beside, err := os.MkdirTemp(filepath.Dir(full), "."+filepath.Base(full)+".*")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "nothing can be written beside %s", dir)
	}
	defer os.RemoveAll(beside) // what is left when something fails; after the renaming there is nothing
	if err := writeAll(beside, files); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the project cannot be written")
	}
	// An empty folder makes way; one that is not empty any more stays, and the renaming fails.
	_ = os.Remove(full)
	if err := os.Rename(beside, full); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the project cannot be put at %s", dir)
	}
	return nil
}

// vacant refuses a folder that something is in.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return fault.Wrap(fault.Invalid, err, "%s is no folder for a new project", dir)
	case len(entries) > 0:
		return fault.New(fault.Conflict, "the folder %s is not empty", dir).WithHint("name a new one: nothing that is there is ever replaced")
	}
	return nil
}

func writeAll(dir string, files map[string][]byte) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, fs.FileMode(0o644)); err != nil {
			return err
		}
	}
	return nil
}

// text tells what was written and how to go on.
func (c *created) text() string {
	if c == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\ncreated %s: %d files for %s\n", c.Folder, len(c.Files), c.Pattern)
	for _, file := range c.Files {
		fmt.Fprintf(&b, "        %s\n", file)
	}
	for n, command := range c.Next {
		label := ""
		if n == 0 {
			label = "next"
		}
		fmt.Fprintf(&b, "%-7s %s\n", label, command)
	}
	return b.String()
}

// shellWord is a text as a shell takes it for one word.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
