package cli

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"headrace/examples"
	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/demo"
	"headrace/internal/flow/importset"
)

//go:embed demo
var demoFiles embed.FS

func (c *console) demoCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "demo", Short: "The whole flow as a session on invented data; checks every sum it shows", Args: exactly(),
		Long: "Runs the commands it prints, in the folder that --data names (default ./demo-data). Nothing leaves this machine."}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir := c.given.Data
		if dir == "" {
			dir = "./demo-data"
		}
		return c.demo(cmd.Context(), dir)
	}
	cmd.AddCommand(c.generateCommand())
	return cmd
}

// session plays commands as if they were typed, and stops at the first that does not do what it must.
type session struct {
	c        *console
	ctx      context.Context
	checksum string
	data     string // where the state is, from the demo's folder
}

func (c *console) demo(ctx context.Context, dir string) error {
	fmt.Fprintf(c.out, "data in %s; nothing leaves this machine\n", dir)
	if err := demoFolder(dir); err != nil {
		return err
	}
	home, err := os.Getwd()
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder of the demo cannot be entered")
	}
	s := &session{c: c, ctx: ctx, data: "."}
	fmt.Fprintf(c.out, "$ cd %s; export HEADRACE_DATA=.\n", dir)
	return errors.Join(s.play(), os.Chdir(home))
}

// demoMark is the file by which a folder of the demo is known, so that no other data is ever cleared.
const demoMark = ".headrace-demo"

// demoFolder makes the folder anew, with the files of the session.
func demoFolder(dir string) error {
	_, unmarked := os.Stat(filepath.Join(dir, demoMark))
	if left, err := os.ReadDir(dir); err == nil && len(left) > 0 && unmarked != nil {
		return fault.New(fault.Refused, "%s holds other data", dir).WithHint("give the demo a folder of its own: headrace demo --data DIR")
	}
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.CopyFS(dir, demoFiles)
	}
	if err == nil {
		err = copyExample(filepath.Join(dir, filepath.FromSlash(demoProject)), path.Base(demoProject))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, demoMark), nil, 0o644)
	}
	for name, write := range map[string]func(io.Writer) error{"monday.csv": demo.WriteMonday, "tuesday.csv": demo.WriteTuesday} {
		var b bytes.Buffer
		if err == nil {
			err = write(&b)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644)
		}
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the folder %s of the demo cannot be made", dir)
	}
	return nil
}

// copyExample puts one of the example projects into a folder.
func copyExample(dir, name string) error {
	files, err := fs.Sub(examples.Files, name)
	if err != nil {
		return err
	}
	return os.CopyFS(dir, files)
}

func ledger(s demo.Sums) string {
	return importset.Ledger{Read: int64(s.Read), Inserted: int64(s.Inserted), Updated: int64(s.Updated), Unchanged: int64(s.Unchanged),
		Skipped: int64(s.Skipped), Rejected: int64(s.Rejected)}.String()
}

// play is the session: each command with the exit code it must have and what its output must say.
func (s *session) play() error {
	monday := "import monday.csv --into cmdb_ci_server --coalesce serial_number"
	tuesday := strings.Replace(monday, "monday", "tuesday", 1)
	return inOrder(
		s.act("\n1/3  Which way fits?           "),
		s.step("advise --answers demo/servers.yaml", exitDone, "use     P1"),
		s.act("\n2/3  Import, and take it back  "),
		s.step("table create -f demo/cmdb_ci_server.yaml", exitDone, "cmdb_ci_server"),
		s.step(monday+" --plan --save mon.plan", exitRejected, ledger(demo.MondaySums)),
		s.step("apply mon.plan", exitRejected, ledger(demo.MondaySums)),
		s.remember,
		s.step(tuesday, exitRejected, ledger(demo.TuesdaySums)),
		s.step("run retry 2 --map demo/servers-fixed.yaml", exitDone, ledger(demo.TuesdayMendedSums)),
		s.step("undo 2", exitDone, fmt.Sprintf("%d removed, %d restored, 0 refused", demo.TuesdayMendedSums.Inserted, demo.TuesdayMendedSums.Updated)),
		s.compare,
		s.partner,
	)
}

func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// act prints a heading; the first command follows on its line.
func (s *session) act(title string) func() error {
	return func() error {
		_, err := io.WriteString(s.c.out, title)
		return writing(err)
	}
}

func (s *session) step(line string, code int, says string) func() error {
	return func() error {
		fmt.Fprintf(s.c.out, "$ headrace %s\n", line)
		var out bytes.Buffer
		args := append(words(line), "--data", s.data, "--quiet")
		if !strings.HasPrefix(line, "advise") {
			args = append(args, "--output", "table")
		}
		got := execute(s.ctx, args, strings.NewReader(""), io.MultiWriter(s.c.out, &out), s.c.err)
		switch {
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case got != code:
			return fault.New(fault.Internal, "the demo is wrong: `headrace %s` ended with exit code %d, it must be %d", line, got, code)
		case !strings.Contains(out.String(), says):
			return fault.New(fault.Internal, "the demo is wrong: `headrace %s` must say %q", line, says)
		}
		return nil
	}
}

// sum is the checksum of the servers as they are.
func (s *session) sum() (string, error) {
	a, err := app.Open(s.ctx, app.Config{Data: "."})
	if err != nil {
		return "", err
	}
	t, err := a.DB.Table("cmdb_ci_server")
	sum := ""
	if err == nil {
		sum, err = a.Imports.Checksum(s.ctx, t)
	}
	return sum, errors.Join(err, a.Close())
}

func (s *session) remember() (err error) {
	s.checksum, err = s.sum()
	return err
}

func (s *session) compare() error {
	sum, err := s.sum()
	if err != nil {
		return err
	}
	if sum != s.checksum {
		return fault.New(fault.Internal, "the demo is wrong: the table's checksum is %s, after run 1 it was %s", sum, s.checksum)
	}
	_, err = fmt.Fprintf(s.c.out, "  table checksum %s equals the one after run 1\n", sum)
	return writing(err)
}

func (c *console) generateCommand() *cobra.Command {
	var a demo.Assets
	var save string
	cmd := &cobra.Command{Use: "generate", Short: "Write a CSV file of invented assets, the same for the same seed", Args: exactly()}
	f := cmd.Flags()
	f.Int64Var(&a.Rows, "rows", 1_000, "number of rows")
	f.Uint64Var(&a.Seed, "seed", 1, "another seed gives other rows")
	f.BoolVar(&a.Shuffled, "shuffled", false, "in no order of their keys")
	f.BoolVar(&a.Delta, "delta", false, "the next delivery of the file: 90 % unchanged, 9 % changed, 1 % new")
	f.StringVar(&save, "save", "", "write to this `FILE` instead of standard output")
	cmd.RunE = func(*cobra.Command, []string) error {
		if a.Rows < 1 {
			return fault.New(fault.Invalid, "--rows is at least 1")
		}
		if save == "" {
			_, err := a.WriteTo(c.out)
			return writing(err)
		}
		file, err := os.CreateTemp(filepath.Dir(save), filepath.Base(save)+".*")
		if err != nil {
			return unsaved(save, err)
		}
		_, err = a.WriteTo(file)
		return settleFile(file, save, err)
	}
	return cmd
}
