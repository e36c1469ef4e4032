package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/record"
)

func (c *console) messageCommand() *cobra.Command {
	return group("message", "Outbound REST and SOAP messages", c.messageImportCommand())
}

func (c *console) messageImportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "import-wsdl FILE|URL", Short: "Make a SOAP message from a description: a function for each operation, with a sample envelope",
		Args: exactly("FILE|URL"), Example: "  headrace message import-wsdl orders.wsdl --name Orders"}
	name := cmd.Flags().String("name", "", "name of the message (default: that of the description); one that is there is brought up to date")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		r, err := a.Outbound.ImportWSDL(ctx, a.DB.As(record.System), *name, args[0])
		if err != nil {
			return err
		}
		text := fmt.Sprintf("  SOAP message %s: %d functions\n", r.Message, len(r.Made)+len(r.Kept))
		for _, group := range []struct {
			word  string
			names []string
		}{{"made", r.Made}, {"kept", r.Kept}} {
			if len(group.names) > 0 {
				text += "    " + group.word + "  " + oneLine(strings.Join(group.names, ", "), 400) + "\n"
			}
		}
		for _, s := range r.Skipped {
			text += "    skipped  " + oneLine(s.Name, widest) + ": " + oneLine(s.Reason, 400) + "\n"
		}
		return c.show(answer{value: r, header: []string{"message", "functions", "skipped"}, text: text,
			rows: [][]string{{r.Message, strconv.Itoa(len(r.Made) + len(r.Kept)), strconv.Itoa(len(r.Skipped))}}})
	})
	return cmd
}
