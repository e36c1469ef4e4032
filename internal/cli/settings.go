package cli

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
)

// settings hold for all verbs. A flag beats the environment, which beats the file, which beats the default.
type settings struct {
	Data     string `yaml:"data"`
	Database string `yaml:"database"`
	Server   string `yaml:"server"`
	Output   string `yaml:"output"`
	NoColor  bool   `yaml:"noColor"`
	Quiet    bool   `yaml:"quiet"`
	Verbose  bool   `yaml:"verbose"`
}

// settingsFile is read from the working folder.
const settingsFile = "headrace.yaml"

const defaultData = "headrace-data"

var outputs = []string{"table", "json", "yaml", "csv"}

// resolve settles the settings from flags, environment, file and defaults.
func (c *console) resolve(cmd *cobra.Command) error {
	file, err := readSettings(settingsFile)
	if err != nil {
		return err
	}
	env := settings{Data: os.Getenv("HEADRACE_DATA"), Database: os.Getenv("HEADRACE_DATABASE"), Server: os.Getenv("HEADRACE_SERVER"), Output: os.Getenv("HEADRACE_OUTPUT"),
		NoColor: os.Getenv("NO_COLOR") != ""}
	s := settings{Output: "table"}
	for _, layer := range []settings{file, env, c.given} {
		if err := s.put(layer); err != nil {
			return err
		}
	}
	if s.Data == "" && s.Database == "" {
		s.Data = defaultData
	}
	c.settings = s
	local := cmd.LocalNonPersistentFlags().Lookup("output")
	if local != nil && local.Changed {
		c.settings.Output = local.Value.String()
	}
	if local == nil && !slices.Contains(outputs, s.Output) {
		c.settings.Output = "table"
		return fault.New(fault.Invalid, "there is no output %q", s.Output).WithHint("one of %s", strings.Join(outputs, ", "))
	}
	return nil
}

// put lays a stronger layer over the settings. Folder and database stand for one thing: where the state is.
func (s *settings) put(o settings) error {
	if o.Data != "" && o.Database != "" {
		return fault.New(fault.Invalid, "the state is either in a folder or in a database, and both are named").
			WithHint("give one of --data %s and --database", o.Data)
	}
	if o.Data != "" || o.Database != "" {
		s.Data, s.Database = o.Data, o.Database
	}
	if o.Server != "" {
		s.Server = o.Server
	}
	if o.Output != "" {
		s.Output = o.Output
	}
	s.NoColor = s.NoColor || o.NoColor
	s.Quiet = s.Quiet || o.Quiet
	s.Verbose = s.Verbose || o.Verbose
	return nil
}

// readSettings reads the settings file; a missing one says nothing.
func readSettings(path string) (settings, error) {
	var s settings
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fault.Wrap(fault.Unavailable, err, "%s cannot be read", path)
	}
	return s, yamlfile.Decode(path, text, &s, []string{"data", "database", "server", "output", "noColor", "quiet", "verbose"})
}
