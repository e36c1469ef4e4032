package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/project/harness"
)

func (c *console) testCommand() *cobra.Command {
	var match string
	cmd := &cobra.Command{Use: "test [DIR]", Short: "Run a project's tests, each against a throw-away server", Args: exactly("[DIR]"),
		Long: "Each test has the project applied to a store of its own, a clock that it moves itself, and a partner that answers as it says; nothing\nleaves this machine. The store is SQLite; with --database it is PostgreSQL, where each test has a schema of its own that goes with it.\nEnds with exit code 1 when a test fails. How tests are written: docs/testing.md."}
	cmd.Flags().StringVar(&match, "run", "", "only tests whose `FILE: NAME` contains this")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		people := c.settings.Output == "table"
		report, err := app.TestProject(cmd.Context(), app.TestConfig{Dir: folderOf(args), Match: match, Database: c.given.Database}, func(r harness.Result) {
			if people {
				fmt.Fprint(c.out, resultText(r))
			}
		})
		if err != nil {
			return err
		}
		failed := fault.New(fault.Refused, "%d of %d tests failed", report.Failed, len(report.Tests))
		if !people {
			c.partial = report
			if report.Failed > 0 {
				return failed
			}
			return c.show(testAnswer(report))
		}
		if report.Failed > 0 {
			return failed
		}
		fmt.Fprintf(c.out, "  %s: %d tests passed\n", report.Project, report.Passed)
		return nil
	}
	return cmd
}

// resultText tells one result: a line when it passed; else what was wrong, where, and what happened.
func resultText(r harness.Result) string {
	if r.Passed {
		return fmt.Sprintf("ok    %s: %s (%d ms)\n", r.File, r.Name, r.Millis)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL  %s: %s (%d ms)\n", r.File, r.Name, r.Millis)
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  %s: %s\n", f.Place, f.Message)
	}
	if len(r.Story) > 0 {
		b.WriteString("  what happened:\n")
	}
	for _, line := range r.Story {
		fmt.Fprintf(&b, "    %s\n", oneLine(line, 2*widest))
	}
	return b.String()
}

func testAnswer(report *harness.Report) answer {
	out := answer{value: report, header: []string{"file", "name", "passed", "ms"}}
	for _, r := range report.Tests {
		out.rows = append(out.rows, []string{r.File, r.Name, fmt.Sprint(r.Passed), fmt.Sprint(r.Millis)})
	}
	return out
}
