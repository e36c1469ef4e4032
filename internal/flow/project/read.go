package project

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// File is the name of the file that makes a folder a project.
const File = "project.yaml"

// reader reads one folder and notes what is wrong in it.
type reader struct {
	*Service
	project *Project
	root    fs.FS
	scripts map[string]bool // .js files by path: read by somebody or not
}

// Read reads a project's folder. An error means that there is none; what is wrong in it is among the findings.
func (s *Service) Read(dir string) (*Project, error) {
	r := &reader{Service: s, project: &Project{Dir: dir}, root: os.DirFS(dir), scripts: map[string]bool{}}
	if err := r.readHead(); err != nil {
		return nil, err
	}
	files, err := r.files()
	if err != nil {
		return nil, err
	}
	for _, kind := range s.present() {
		r.readKind(kind, files)
	}
	r.readTables(files)
	r.readStrays(files)
	r.findTwins()
	return r.project, nil
}

func (r *reader) report(err error) {
	if err == nil {
		return
	}
	text, place := err.Error(), ""
	if at := placeForm.FindString(text); at != "" {
		place, text = at, strings.TrimPrefix(text[len(at):], ": ")
	}
	r.project.Findings = append(r.project.Findings, Finding{Place: place, Code: "file", Message: text, Hint: fault.HintOf(err)})
}

func (r *reader) readHead() error {
	text, err := fs.ReadFile(r.root, File)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Invalid, "%s is no project: it has no %s", r.project.Dir, File).WithHint("headrace init %s makes one", r.project.Dir)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "project %s", r.project.Dir)
	}
	var head struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
	}
	if err := yamlfile.Decode(File, text, &head, []string{"name", "description"}); err != nil {
		return err
	}
	if head.Name == "" {
		return fault.New(fault.Invalid, "%s: the project has no name", File).WithHint("name: what-it-does")
	}
	r.project.Name, r.project.Description = head.Name, head.Description
	return nil
}

// files lists what there is to read, by path from the project's folder, in order.
func (r *reader) files() ([]string, error) {
	var files []string
	err := fs.WalkDir(r.root, ".", func(name string, e fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
		switch {
		case err != nil:
			return err
		case e.IsDir() && (hidden || name == testsFolder || path.Base(name) == "node_modules"):
			return fs.SkipDir
		case e.IsDir() || hidden:
			return nil
		}
		switch path.Ext(name) {
		case ".js":
			r.scripts[name] = false
			files = append(files, name)
		case ".yaml", ".yml":
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "project %s cannot be read", r.project.Dir)
	}
	slices.Sort(files)
	return files, nil
}

func (r *reader) readKind(kind *Kind, files []string) {
	var described []string
	for _, name := range files {
		if stem := strings.TrimSuffix(name, path.Ext(name)); path.Dir(name) == kind.Folder && path.Ext(name) != ".js" {
			described = append(described, stem)
			r.report(r.readItem(kind, name, stem))
		}
	}
	for _, name := range files {
		stem := strings.TrimSuffix(name, ".js")
		if kind.Alone && path.Dir(name) == kind.Folder && path.Ext(name) == ".js" && !slices.Contains(described, stem) && !r.scripts[name] {
			r.report(r.buildItem(kind, &yamlfile.Node{File: name, Line: 1, Column: 1}, stem))
		}
	}
}

// text reads a file of the project.
func (r *reader) text(name string) ([]byte, error) {
	text, err := fs.ReadFile(r.root, name)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be read", name)
	}
	return text, nil
}

func (r *reader) readItem(kind *Kind, name, stem string) error {
	text, err := r.text(name)
	if err != nil {
		return err
	}
	root, err := yamlfile.Tree(name, text)
	if err != nil {
		return err
	}
	if root.Form != yamlfile.Map && root.Form != yamlfile.Null {
		return root.Fault("a %s is written as properties", kind.Name).WithHint("name: value")
	}
	return r.buildItem(kind, root, stem)
}

func (r *reader) buildItem(kind *Kind, root *yamlfile.Node, stem string) error {
	it := &Item{Kind: kind, Shape: &kind.Shape, Table: r.cfg.DB.Catalog().Table(kind.Table), Node: root, Stem: stem, Name: path.Base(stem)}
	if err := r.fill(it, root); err != nil {
		return err
	}
	if key := it.Value(kind.Key); key.Value.Empty() {
		key.Value = record.Text(it.Name)
	} else {
		it.Name = key.Value.Text
	}
	return nil
}

// fill reads the properties of an item and the parts that stand in it.
func (r *reader) fill(it *Item, n *yamlfile.Node) (err error) {
	if it.Values, err = presets(it.Shape, it.Table); err != nil {
		return err
	}
	r.project.Items = append(r.project.Items, it)
	for _, pair := range n.Pairs {
		r.report(r.property(it, pair.Key, pair.Value))
	}
	r.report(r.mainScript(it))
	r.mandatory(it)
	return nil
}

func (r *reader) property(it *Item, key, value *yamlfile.Node) error {
	for _, p := range it.Shape.Properties(it.Table) {
		if p.Name != key.Text {
			continue
		}
		v, err := valueOf(p, value)
		if err != nil {
			return err
		}
		if v.File != "" {
			err = r.script(&v, path.Join(path.Dir(it.Stem), v.File))
		}
		it.put(v)
		return err
	}
	for _, flags := range it.Shape.Flags {
		if flags.Property == key.Text {
			return it.readFlags(flags, value)
		}
	}
	for i := range it.Shape.Parts {
		if p := &it.Shape.Parts[i]; p.Property == key.Text {
			return r.readParts(it, p, value)
		}
	}
	return key.Unknown("a "+it.Kind.Name, it.Shape.known(it.Table))
}

func (r *reader) script(v *Value, name string) error {
	if _, there := r.scripts[name]; !there {
		return v.At.Fault("there is no file %s", name)
	}
	text, err := r.text(name)
	if err != nil {
		return err
	}
	r.scripts[name] = true
	v.Value, err = v.Field.Value(record.Text(trimNewline(string(text))))
	v.At = &yamlfile.Node{File: name, Line: 1, Column: 1}
	if err != nil {
		return v.At.Fault("%v", err)
	}
	return nil
}

// trimNewline takes the newline off that ends a file and is not part of what it says.
func trimNewline(text string) string { return strings.TrimSuffix(text, "\n") }

// mainScript reads the .js file beside the YAML, which nothing need name.
func (r *reader) mainScript(it *Item) error {
	name := it.Stem + ".js"
	if _, there := r.scripts[name]; it.Parent != nil || it.Shape.Script == "" || !there {
		return nil
	}
	v := it.Value(it.Shape.Script)
	switch {
	case v == nil || v.File != "":
		return nil
	case v.At != nil:
		return v.At.Fault("the script stands here and in %s", name).WithHint("keep one of them")
	}
	return r.script(v, name)
}

func (r *reader) mandatory(it *Item) {
	for i := range it.Values {
		v := &it.Values[i]
		known := v.Field.Name == it.Shape.Key && it.Parent == nil
		if v.Field.Mandatory && !known && v.Value.Empty() && len(v.Reference) == 0 && v.Secret == "" && !r.reported(v.At) {
			r.report(it.Node.Fault("%s needs the property %s", it.Title(), v.Property))
		}
	}
}

// reported tells whether there is a finding about the node already.
func (r *reader) reported(n *yamlfile.Node) bool {
	return n != nil && slices.ContainsFunc(r.project.Findings, func(f Finding) bool { return f.Place == n.Place() })
}

// readParts reads the parts of an item: a map from their key, or a list.
func (r *reader) readParts(it *Item, p *Part, n *yamlfile.Node) error {
	switch {
	case n.Form == yamlfile.Null:
		return nil
	case p.Key == "" && n.Form != yamlfile.List:
		return n.Fault("%s is a list", p.Property)
	case p.Key != "" && n.Form != yamlfile.Map:
		return n.Fault("%s is written as name: properties", p.Property)
	}
	for i, item := range n.Items {
		r.report(r.readPart(it, p, strconv.Itoa(i+1), i+1, item))
	}
	for _, pair := range n.Pairs {
		at := pair.Value
		if at.Form == yamlfile.Null {
			at = &yamlfile.Node{File: pair.Key.File, Line: pair.Key.Line, Column: pair.Key.Column}
		}
		r.report(r.readPart(it, p, pair.Key.Text, 0, at))
	}
	return nil
}

func (r *reader) readPart(parent *Item, p *Part, name string, position int, n *yamlfile.Node) error {
	it := &Item{Kind: parent.Kind, Shape: p.shape(), Table: r.cfg.DB.Catalog().Table(p.Table), Name: name, Position: position, Parent: parent, Part: p, Node: n, Stem: parent.Stem}
	if n.Form == yamlfile.Scalar && p.Short != "" {
		key := &yamlfile.Node{File: n.File, Line: n.Line, Column: n.Column, Form: yamlfile.Scalar, Text: it.Shape.property(p.Short)}
		n = &yamlfile.Node{File: n.File, Line: n.Line, Column: n.Column, Form: yamlfile.Map, Pairs: []yamlfile.Pair{{Key: key, Value: n}}}
	}
	if n.Form != yamlfile.Map && n.Form != yamlfile.Null {
		return n.Fault("%s: a part of %s is written as properties", name, p.Property)
	}
	if p.Key == "" {
		return r.fill(it, n)
	}
	keyed := *n
	at := &yamlfile.Node{File: n.File, Line: n.Line, Column: n.Column, Form: yamlfile.Scalar, Text: name, Quoted: true}
	keyed.Pairs = append([]yamlfile.Pair{{Key: &yamlfile.Node{File: n.File, Line: n.Line, Column: n.Column, Form: yamlfile.Scalar, Text: it.Shape.property(p.Key)}, Value: at}}, n.Pairs...)
	return r.fill(it, &keyed)
}

// readStrays reports files that belong to nothing: nothing that stands in a project goes unread unsaid.
func (r *reader) readStrays(files []string) {
	folders := []string{tablesFolder, testsFolder}
	for _, k := range r.present() {
		folders = append(folders, k.Folder)
	}
	for _, name := range files {
		dir := path.Dir(name)
		switch {
		case name == File || path.Ext(name) == ".js" && r.scripts[name]:
		case !slices.Contains(folders, dir):
			f := fault.New(fault.Invalid, "%s:1:1: folder %s is none that a project has", name, dir)
			if near := record.Nearest(dir, folders); near != "" {
				f = f.WithHint("did you mean %s?", near)
			} else {
				f = f.WithHint("the folders are %s", strings.Join(folders, ", "))
			}
			r.report(f)
		case path.Ext(name) == ".js":
			r.report(fault.New(fault.Invalid, "%s:1:1: the script belongs to nothing", name).
				WithHint("name it like the YAML file that it belongs to, or name it there: script: %s", path.Base(name)))
		}
	}
}

// findTwins reports records that two files describe.
func (r *reader) findTwins() {
	seen := map[string]*Item{}
	for _, it := range r.project.Items {
		if it.Parent != nil {
			continue
		}
		key := it.Table.Name + "\x00" + it.Name
		if first := seen[key]; first != nil {
			r.report(it.Node.Fault("%s is described in %s already", it.Title(), first.Node.File))
			continue
		}
		seen[key] = it
	}
}
