// Package cli is the command line: verbs, flags, progress, exit codes. It holds no logic of the product.
package cli

import (
	"cmp"
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// console is where one command reads and writes, with the settings that hold for all verbs.
type console struct {
	in       io.Reader
	out, err io.Writer
	settings settings
	given    settings // as the flags said
	verb     string   // of the command that ran, for the envelope
	code     int      // exit code of a command that ended without an error
	partial  any      // what there is of a result although there is an error

	enveloped bool // the error has been told in an envelope already
}

// Main runs one command line and returns its exit code. Cancelling ctx ends the work in hand where it can be resumed.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app.BoundMemory()
	app.SpareProcessor()
	return execute(ctx, args, stdin, stdout, stderr)
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &console{in: stdin, out: stdout, err: stderr}
	root := c.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if cmd != nil {
		c.verb = verbOf(cmd)
	}
	if err == nil {
		return c.code
	}
	if ctx.Err() != nil && fault.KindOf(err) != fault.Canceled {
		err = fault.During("interrupted", fault.Wrap(fault.Canceled, err, ""))
	}
	c.fail(err)
	return exitCode(err)
}

// verbOf is the command as it is typed, without the program: "run list".
func verbOf(cmd *cobra.Command) string {
	_, verb, _ := strings.Cut(cmd.CommandPath(), " ")
	return verb
}

// root is the whole command line.
func (c *console) root() *cobra.Command {
	root := group("headrace", "Data into and out of a system of record: see the change first, account for every row, take it back",
		c.inspectCommand(), c.importCommand(), c.sourceCommand(), c.applyCommand(), c.undoCommand(), c.runCommand(), c.recordCommand(), c.tableCommand(), c.traceCommand(),
		adviseCommand(adviseIO{in: c.in, out: c.out, err: c.err, terminal: isTerminal(c.in) && isTerminal(c.err)}),
		c.initCommand(), c.projectCommand(), c.testCommand(), c.serveCommand(), c.userCommand(), c.roleCommand(), c.tokenCommand(), c.scheduleCommand(), c.eventCommand(), c.deliveryCommand(), c.exportCommand(), c.messageCommand(), c.mockCommand(), c.scriptCommand(), c.demoCommand(), c.versionCommand())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		c.verb = verbOf(cmd)
		if err := c.resolve(cmd); err != nil {
			return err
		}
		return c.checkServer(cmd)
	}
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetIn(c.in)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Wrap(fault.Invalid, err, "%v", err).WithHint("%s --help", cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&c.given.Data, "data", "", "keep the state in this `DIR` (HEADRACE_DATA; default ./headrace-data)")
	f.StringVar(&c.given.Database, "database", "", "keep the state in PostgreSQL: postgres://... (HEADRACE_DATABASE)")
	f.StringVar(&c.given.Server, "server", "", "work against the server at this `URL` (HEADRACE_SERVER; who: HEADRACE_USER and HEADRACE_PASSWORD, or HEADRACE_TOKEN)")
	f.StringVarP(&c.given.Output, "output", "o", "", "table, json, yaml or csv (HEADRACE_OUTPUT; default table)")
	f.BoolVar(&c.given.NoColor, "no-color", false, "no colours (NO_COLOR; CLICOLOR_FORCE for the opposite)")
	f.BoolVarP(&c.given.Quiet, "quiet", "q", false, "nothing but results and errors")
	f.BoolVarP(&c.given.Verbose, "verbose", "v", false, "also tell what usually goes without saying")
	return root
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs}
	g.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownVerb(cmd, args[0])
	}
	g.AddCommand(subs...)
	return g
}

func unknownVerb(cmd *cobra.Command, name string) error {
	var verbs []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			verbs = append(verbs, sub.Name())
		}
	}
	f := fault.New(fault.Invalid, "%s has no verb %q", cmd.CommandPath(), name)
	if near := record.Nearest(name, verbs); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("its verbs: %s", strings.Join(verbs, ", "))
}

// exactly wants one argument for each of the names, the last ones optional when they are written in brackets.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for i, name := range names {
			if i >= len(args) && !strings.HasPrefix(name, "[") {
				return fault.New(fault.Invalid, "%s is missing", name).WithHint("usage: %s", cmd.UseLine())
			}
		}
		if len(args) > len(names) && !(len(names) > 0 && strings.HasSuffix(names[len(names)-1], "...")) {
			return fault.New(fault.Invalid, "%q is one argument too many", args[len(names)]).WithHint("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// work is what a verb does with the open product.
type work func(ctx context.Context, a *app.App, args []string) error

// withApp opens the product around the work.
func (c *console) withApp(do work) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		a, err := app.Open(ctx, app.Config{Data: c.settings.Data, Database: c.settings.Database})
		if err != nil {
			return err
		}
		c.detail("  state in %s", cmp.Or(c.settings.Data, "PostgreSQL"))
		err = do(ctx, a, args)
		if closing := a.Close(); err == nil {
			err = closing
		}
		return err
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
