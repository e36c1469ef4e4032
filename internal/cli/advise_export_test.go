package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// AdviseAt is the verb advise at a terminal of the given streams.
func AdviseAt(in io.Reader, out, err io.Writer, terminal bool) *cobra.Command {
	c := adviseCommand(adviseIO{in: in, out: out, err: err, terminal: terminal})
	c.SilenceErrors, c.SilenceUsage = true, true
	return c
}
