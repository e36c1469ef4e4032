package harness

import (
	"context"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"headrace/internal/core/fault"
)

// expectFiles looks at the files of a double.
func (t *trial) expectFiles(ctx context.Context, name string, want map[string]expectedFile, at string) error {
	if err := t.isFolder(name); err != nil {
		return err
	}
	base, err := t.folderOf(ctx, name)
	if err != nil {
		return err
	}
	for _, pattern := range slices.Sorted(maps.Keys(want)) {
		w := want[pattern]
		found, err := filepath.Glob(t.within(name, base, pattern))
		if err != nil {
			return fault.New(fault.Invalid, "%q is no pattern of files", pattern)
		}
		if err := t.expectFile(found, &w, name, pattern, at+".'"+pattern+"'"); err != nil {
			return err
		}
	}
	return nil
}

// expectFile holds the files that a pattern means to what is expected of one of them.
func (t *trial) expectFile(found []string, want *expectedFile, name, pattern, at string) error {
	switch {
	case want.Absent && len(found) > 0:
		t.fail(at, "%s has the file %s, which should be absent", name, path.Base(found[0]))
		return nil
	case want.Absent:
		return nil
	case want.Count != nil && len(found) != *want.Count:
		t.fail(at, "%s has %d files %s, expected %d", name, len(found), pattern, *want.Count)
		return nil
	case len(found) == 0 && want.Count == nil:
		t.fail(at, "%s has no file %s, but %s", name, pattern, t.there(name))
		return nil
	}
	why := ""
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "the file %s cannot be read", f)
		}
		if why = want.differs(string(b)); why == "" {
			return nil
		}
		why = path.Base(f) + " " + why
	}
	if why != "" {
		t.fail(at, "%s", why)
	}
	return nil
}

// differs says how a text is not what is expected; "" when it is.
func (e *expectedFile) differs(text string) string {
	switch {
	case e.Equals != nil && text != *e.Equals:
		return "is " + shown(text) + ", expected " + shown(*e.Equals)
	case e.Contains != nil && !strings.Contains(text, *e.Contains):
		return "does not contain " + shown(*e.Contains) + ": " + shown(text)
	}
	return ""
}

// there lists the files of a double, for messages.
func (t *trial) there(name string) string {
	var names []string
	root := t.doubles.root(name)
	err := filepath.WalkDir(root, func(at string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, strings.TrimPrefix(at, root))
		}
		return err
	})
	if err != nil || len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// sameSet tells whether two lists have the same members, in whatever order.
func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
