package project

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"headrace/internal/core/fault"
)

// nameForm is the form of a project's name.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Init makes a folder a project: project.yaml, the folders of the kinds, and the schemas that editors use. In a project
// it brings the schemas up to date and touches nothing else. It tells which files it wrote.
func (s *Service) Init(dir, name string) (written []string, err error) {
	files := map[string][]byte{}
	for file, text := range s.Schemas() {
		files[path.Join(schemaFolder, file)] = text
	}
	for file, text := range s.cfg.Editor {
		files[file] = text
	}
	if _, err := os.Stat(filepath.Join(dir, File)); err != nil {
		if name == "" {
			name = nameFrom(dir)
		}
		if !nameForm.MatchString(name) {
			return nil, fault.New(fault.Invalid, "%q cannot name a project", name).WithHint("lower-case letters, digits and hyphens, a letter first: --name NAME")
		}
		files[File] = append([]byte("# yaml-language-server: $schema="+schemaFolder+"/project.json\n"), head(name)...)
	}
	e := &exporter{files: files, out: &Exported{}}
	if err := e.save(dir); err != nil {
		return nil, err
	}
	folders := []string{tablesFolder, testsFolder}
	for _, k := range s.present() {
		folders = append(folders, k.Folder)
	}
	for _, folder := range folders {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(folder)), 0o755); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "%s cannot be made", folder)
		}
	}
	return e.out.Files, nil
}

func nameFrom(dir string) string {
	full, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(filepath.Base(full)), "-"), "-")
}
