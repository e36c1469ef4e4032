package cli

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

// adviseIO is where the command reads and writes. terminal says that a person sits at in and err.
type adviseIO struct {
	in       io.Reader
	out, err io.Writer
	terminal bool
}

type adviseOptions struct {
	answers, save, output string
	dir, name, pattern    string // of the project to create
	classic               bool
}

// adviseCommand is the verb advise: which way of integrating fits.
func adviseCommand(console adviseIO) *cobra.Command {
	var opts adviseOptions
	c := &cobra.Command{
		Use:   "advise",
		Short: "Which way of integrating fits? Asks, explains, ranks",
		Long: `Asks about the integration you plan and ranks the ways of doing it, with reasons, arithmetic, and what would
change the answer. In a terminal it asks only what can still change the result; elsewhere give --answers.
With --create it writes a project that does what it advises, and that passes its own tests before anything is filled in.`,
		Example: "  headrace advise\n  headrace advise --answers servers.yaml -o markdown\n  headrace advise --answers servers.yaml --create partner-servers",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return opts.run(console) },
	}
	f := c.Flags()
	f.StringVar(&opts.answers, "answers", "", "read the answers from this YAML `FILE` (- for standard input)")
	f.StringVar(&opts.save, "save", "", "write the answers to this YAML `FILE`")
	f.StringVarP(&opts.output, "output", "o", "text", "text, json, markdown or mermaid")
	f.StringVar(&opts.dir, "create", "", "make this `FOLDER` a project that does it, with tests and a double of the partner")
	f.StringVar(&opts.name, "name", "", "the project's `NAME` (default: the folder's)")
	f.StringVar(&opts.pattern, "pattern", "", "create this feasible `PATTERN`, such as P1, in place of the one that is recommended")
	f.BoolVar(&opts.classic, "classic", false, "decide by the article's two pictures to the letter, defects included")
	return c
}

func (o adviseOptions) run(console adviseIO) error {
	render, found := adviseRenderers[o.output]
	if !found {
		return fault.New(fault.Invalid, "unknown output %q", o.output).WithHint("use -o text, json, markdown or mermaid")
	}
	if o.dir == "" && (o.name != "" || o.pattern != "") {
		return fault.New(fault.Invalid, "--name and --pattern are about a project to create").WithHint("name its folder: --create FOLDER")
	}
	answers, err := o.collect(console)
	if err != nil {
		return err
	}
	result, err := o.decide(answers)
	if err != nil {
		return err
	}
	if o.save != "" {
		if err := saveAnswers(o.save, answers); err != nil {
			return err
		}
	}
	var made *created
	if o.dir != "" {
		if made, err = o.create(result); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(console.out, render(result, made)); err != nil {
		return fault.Wrap(fault.Unavailable, err, "writing the advice")
	}
	return nil
}

func (o adviseOptions) decide(answers advisor.Answers) (advisor.Result, error) {
	if o.classic {
		return advisor.Classic(answers)
	}
	result, err := advisor.Advise(answers)
	if err != nil {
		return result, err
	}
	result.Open = append(result.Open, advisor.Open(answers)...)
	return result, nil
}

// collect reads the answers from the file given, or asks for them where a person can answer.
func (o adviseOptions) collect(console adviseIO) (advisor.Answers, error) {
	switch {
	case o.answers == "-":
		data, err := io.ReadAll(console.in)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "reading answers from standard input")
		}
		return advisor.Parse("standard input", data)
	case o.answers != "":
		data, err := os.ReadFile(o.answers)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "answers file").WithHint("give the path of a YAML file such as docs/advisor.md shows")
		}
		return advisor.Parse(o.answers, data)
	case !console.terminal:
		return nil, fault.New(fault.Invalid, "no answers, and no terminal to ask for them").WithHint("use --answers FILE.yaml, or --answers - with the answers on standard input")
	}
	// A prompt waits in a read that no context ends, and nothing is half done: an interrupt may end the process.
	signal.Reset(os.Interrupt)
	return newInterview(console, o.classic).run()
}

// saveAnswers writes the answers beside the file first, so that a failure leaves an older file whole.
func saveAnswers(path string, answers advisor.Answers) error {
	var b strings.Builder
	for _, given := range answers.Given() {
		b.WriteString(given[0] + ": " + given[1] + "\n")
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "saving answers to %s", path).WithHint("give --save a path in a folder that exists and can be written")
	}
	_, err = f.WriteString(b.String())
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error is the one to tell
		return fault.Wrap(fault.Unavailable, err, "saving answers to %s", path)
	}
	return nil
}

func adviseJSON(r advisor.Result, made *created) string {
	result := struct {
		advisor.Result
		Created *created `json:"created,omitempty"`
	}{r, made}
	data, err := json.MarshalIndent(envelope{Command: "advise", OK: true, Result: result}, "", "  ")
	if err != nil {
		return err.Error() // a Result holds strings, numbers and lists only
	}
	return string(data) + "\n"
}
