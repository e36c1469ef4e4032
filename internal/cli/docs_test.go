package cli

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headrace/internal/core/fault"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

const docsFile = "../../docs/cli.md"

// TestTheDocumentationIsThatOfTheProgram holds docs/cli.md and the command tree together.
func TestTheDocumentationIsThatOfTheProgram(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(docsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/cli.md is not what the program says; write it anew: go test ./internal/cli -run Documentation -update")
	}
}

func TestEveryKindOfFaultHasADocumentedExitCode(t *testing.T) {
	for k := fault.Internal; k <= fault.Canceled; k++ {
		code, ok := exitCodes[k]
		if !ok {
			t.Errorf("kind %s has no exit code", k)
		}
		if exitMeaning[code] == "" {
			t.Errorf("exit code %d of kind %s is not documented", code, k)
		}
		if got := exitCode(fault.During("op", fault.New(k, "x"))); got != code {
			t.Errorf("kind %s ends with %d, want %d", k, got, code)
		}
	}
}

// exitMeaning is the contract with scripts.
var exitMeaning = map[int]string{
	exitDone:         "done",
	exitFailed:       "failed while running",
	exitInput:        "what you gave is wrong: usage, a missing or empty file, a map, a name",
	exitSurroundings: "surroundings: disk, lock, permission, network, database",
	exitRejected:     "finished, with rows rejected or refused; a plan that would reject rows ends so too",
	exitChanges:      "a plan has changes; only with `--detailed-exitcode`",
	exitInterrupted:  "interrupted; a run is left halted and can be resumed",
}

func document() []byte {
	c := &console{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	root := c.root()
	var b bytes.Buffer
	b.WriteString("# The command line\n\nWritten by `go test ./internal/cli -run Documentation -update`; a test holds it to the program.\n\n")
	b.WriteString("Results go to standard output, everything else to standard error. A flag beats the environment, which beats `headrace.yaml` in the\n" +
		"working folder (keys `data`, `database`, `server`, `output`, `noColor`, `quiet`, `verbose`), which beats the default.\n\n")
	b.WriteString("With `-o json` and `-o yaml` every result stands in one envelope: `{\"command\", \"ok\", \"result\", \"error\"}`; an error is\n" +
		"`{\"kind\", \"message\", \"hint\"}`. The result of `import`, `apply`, `run show` and `run retry` has `run`, `state`, `read`, `inserted`,\n" +
		"`updated`, `unchanged`, `skipped`, `rejected` and `seconds`.\n\n## Exit codes\n\n| code | meaning | kinds of error |\n|---|---|---|\n")
	for _, code := range slices.Sorted(maps.Keys(exitMeaning)) {
		var kinds []string
		for k := fault.Internal; k <= fault.Canceled; k++ {
			if exitCodes[k] == code {
				kinds = append(kinds, k.String())
			}
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", code, exitMeaning[code], strings.Join(kinds, ", "))
	}
	b.WriteString("\n## Flags of every verb\n\n")
	writeFlags(&b, root.PersistentFlags())
	for _, sub := range root.Commands() {
		documentVerb(&b, sub)
	}
	return b.Bytes()
}

func documentVerb(b *bytes.Buffer, cmd *cobra.Command) {
	if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
		return
	}
	if !cmd.HasSubCommands() || cmd.Flags().HasFlags() || cmd.Long != "" {
		fmt.Fprintf(b, "\n## %s\n\n    %s\n\n%s.\n", verbOf(cmd), cmd.UseLine(), cmd.Short)
		if cmd.Long != "" {
			fmt.Fprintf(b, "%s\n", cmd.Long)
		}
		if cmd.Example != "" {
			fmt.Fprintf(b, "\n    %s\n", strings.ReplaceAll(strings.TrimSpace(cmd.Example), "\n  ", "\n    "))
		}
		if flags := cmd.LocalNonPersistentFlags(); flags.HasFlags() {
			b.WriteByte('\n')
			writeFlags(b, flags)
		}
	}
	for _, sub := range cmd.Commands() {
		documentVerb(b, sub)
	}
}

func writeFlags(b *bytes.Buffer, flags *pflag.FlagSet) {
	b.WriteString("| flag | |\n|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		text := "--" + f.Name
		if f.Shorthand != "" {
			text = "-" + f.Shorthand + ", " + text
		}
		if name != "" {
			text += " " + name
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", text, strings.ReplaceAll(usage, "|", `\|`))
	})
}

// TestTheDemoAsksWhatTheRepositoryShows holds the answers that the program carries to those that people read.
func TestTheDemoAsksWhatTheRepositoryShows(t *testing.T) {
	carried, err := demoFiles.ReadFile("demo/servers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile("../../demo/servers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(carried, shown) {
		t.Error("internal/cli/demo/servers.yaml and demo/servers.yaml differ")
	}
}
