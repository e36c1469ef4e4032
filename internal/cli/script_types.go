package cli

import (
	"os"

	"github.com/spf13/cobra"

	"headrace/internal/core/fault"
	"headrace/internal/flow/script/glide"
)

func (c *console) scriptTypesCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "types [FILE]", Short: "Write the TypeScript declarations of what scripts can call, for editors",
		Args: cobra.MaximumNArgs(1), Example: "  headrace script types headrace.d.ts"}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.show(answer{value: map[string]any{"types": glide.Types}, text: glide.Types})
		}
		return c.writeTypes(args[0])
	}
	return cmd
}

func (c *console) writeTypes(path string) error {
	if err := os.WriteFile(path, []byte(glide.Types), 0o644); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the declarations cannot be written to %s", path).WithHint("name a file in a folder that exists and can be written")
	}
	c.note("%s is written; put it beside your scripts, with a jsconfig.json that has \"lib\": [\"es2021\"]", path)
	return nil
}
