package cli

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/script"
)

func (c *console) scriptCommand() *cobra.Command {
	return group("script", "Scripts: JavaScript with the platform's API", c.scriptRunCommand(), c.scriptTypesCommand())
}

func (c *console) scriptRunCommand() *cobra.Command {
	dry := false
	cmd := &cobra.Command{Use: "run FILE|-", Short: "Run a script as the system; its log goes to standard error, its last value to standard output",
		Args: exactly("FILE"), Example: "  headrace script run close-old.js --dry-run\n  echo \"gs.info(new GlideRecord('task').isValid())\" | headrace script run -"}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "undo all that it writes, and let no call leave this machine")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		name, text, err := readScript(args[0], c.in)
		if err != nil {
			return err
		}
		value, err := a.RunScript(ctx, name, text, dry, func(e script.LogEntry) { c.tell("%-5s %s", e.Level, e.Message) })
		if err != nil {
			return err
		}
		if dry {
			c.note("nothing was kept: this was a dry run")
		}
		if value == "" && c.settings.Output == "table" {
			return nil
		}
		return c.show(answer{value: map[string]any{"value": value, "dryRun": dry}, text: value + "\n"})
	})
	return cmd
}

// readScript reads a file, or standard input for "-". The name stands in errors.
func readScript(path string, in io.Reader) (name, text string, err error) {
	if path == "-" {
		b, err := io.ReadAll(in)
		if err != nil {
			return "", "", fault.Wrap(fault.Unavailable, err, "standard input cannot be read")
		}
		return "standard input", string(b), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", "", fault.Wrap(fault.Invalid, err, "the script %s cannot be read", path)
	}
	return path, string(b), nil
}
