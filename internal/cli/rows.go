package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

type rowsOptions struct {
	fates []string
	save  string
}

func (c *console) runRowsCommand() *cobra.Command {
	o := &rowsOptions{}
	cmd := c.numbered("rows RUN", "The rows of a run: what they held and what became of them", func(ctx context.Context, a *app.App, n int64) error {
		return c.runRows(ctx, a, n, o)
	})
	cmd.Example = "  headrace run rows 2 --fate rejected --save rejected.csv"
	cmd.Flags().StringSliceVar(&o.fates, "fate", nil, "only rows of these fates: inserted, updated, unchanged, skipped, rejected")
	cmd.Flags().StringVar(&o.save, "save", "", "write the rows as they came to a `FILE` of the source's own format, to mend and import")
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteRows(ctx, r, args[0], o) })
}

func (c *console) runRows(ctx context.Context, a *app.App, n int64, o *rowsOptions) error {
	run, err := a.Imports.Run(ctx, n)
	if err != nil {
		return err
	}
	fates, err := parseFates(o.fates)
	if err != nil {
		return err
	}
	if o.save != "" {
		write, err := a.Imports.RowWriter(ctx, n, app.Formats(), fates...)
		if err != nil {
			return err
		}
		return c.saveRows(n, o.save, func(w io.Writer) (int64, error) { return write(ctx, w) })
	}
	rows := a.Imports.Rows(ctx, n, fates...)
	header := append([]string{"line", "fate", "reason", "message", "target"}, run.Columns...)
	if c.settings.Output == "table" {
		header = header[:5]
	}
	return c.showList(header, rowItems(run, rows, len(header)))
}

func parseFates(names []string) ([]importset.Fate, error) {
	var fates []importset.Fate
	for _, name := range names {
		f, ok := importset.ParseFate(name)
		if !ok {
			return nil, fault.New(fault.Invalid, "there is no fate %q", name).WithHint("the fates are inserted, updated, unchanged, skipped, rejected")
		}
		fates = append(fates, f)
	}
	return fates, nil
}

// rowItems shows staging rows: for programs with all their cells.
func rowItems(run *importset.Run, rows iter.Seq2[*importset.StagedRow, error], width int) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(item{}, err)
				return
			}
			it := item{value: rowValue(run, row), cells: []string{strconv.FormatInt(row.Line, 10), row.Fate.String(), "", "", row.Target}}
			if row.Reject != nil {
				it.cells[2], it.cells[3] = row.Reject.Code, reason(row.Reject)
			}
			for len(it.cells) < width {
				cell := ""
				if i := len(it.cells) - 5; i < len(row.Cells) {
					cell = row.Cells[i].Text
				}
				it.cells = append(it.cells, cell)
			}
			if !yield(it, nil) {
				return
			}
		}
	}
}

func rowValue(run *importset.Run, row *importset.StagedRow) any {
	v := struct {
		Row    int64           `json:"row"`
		Line   int64           `json:"line"`
		Fate   string          `json:"fate"`
		Reason string          `json:"reason,omitempty"`
		Reject any             `json:"reject,omitempty"`
		Target string          `json:"target,omitempty"`
		Values json.RawMessage `json:"values"`
	}{Row: row.Row, Line: row.Line, Fate: row.Fate.String(), Target: row.Target}
	if row.Reject != nil {
		v.Reason, v.Reject = row.Reject.Code, row.Reject
	}
	n := min(len(row.Cells), len(run.Columns))
	v.Values = object(make([]*record.Field, n), run.Columns[:n], row.Cells[:n])
	return v
}

// saveRows writes rows as they came to a file.
func (c *console) saveRows(number int64, path string, write func(io.Writer) (int64, error)) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return unsaved(path, err)
	}
	count, err := write(f)
	if err := settleFile(f, path, err); err != nil {
		return err
	}
	return c.show(answer{value: map[string]any{"run": number, "rows": count, "path": path}, header: []string{"rows", "path"},
		rows: [][]string{{strconv.FormatInt(count, 10), path}}, text: fmt.Sprintf("  %s rows in %s\n", importset.Thousands(count), path)})
}

// retryMaps reads the maps of --map, or none.
func retryMaps(ctx context.Context, a *app.App, file string) (importset.RetryRequest, error) {
	req := importset.RetryRequest{Actor: record.System}
	if strings.TrimSpace(file) == "" {
		return req, nil
	}
	var err error
	req.Maps, err = readMaps(ctx, a, file)
	return req, err
}

func (c *console) runRetryCommand() *cobra.Command {
	var file string
	cmd := c.numbered("retry RUN", "Take the rejected rows of a run through its maps again, or through mended ones", func(ctx context.Context, a *app.App, n int64) error {
		req, err := retryMaps(ctx, a, file)
		if err != nil {
			return err
		}
		p := c.follow(nil)
		req.Run, req.Progress = n, p.run
		run, err := a.Imports.Retry(ctx, req)
		p.done()
		if err != nil {
			return err
		}
		return c.finish(ctx, a, run, nil)
	})
	cmd.Flags().StringVar(&file, "map", "", "mended maps from this YAML `FILE`, or the name of maps of an earlier run, in the place of the run's own")
	return c.onServer(cmd, func(ctx context.Context, r *remote, args []string) error { return c.remoteRetry(ctx, r, args[0], file) })
}

func (c *console) runResumeCommand() *cobra.Command {
	cmd := c.numbered("resume RUN", "Go on with a run that was halted or cancelled", func(ctx context.Context, a *app.App, n int64) error {
		run, err := a.Imports.Run(ctx, n)
		if err != nil {
			return err
		}
		if run.State != importset.Halted && run.State != importset.Cancelled {
			return fault.New(fault.Refused, "run %d is %s", n, run.State).WithHint("only runs that were halted or cancelled go on")
		}
		stored, err := a.Imports.Stored(ctx, n)
		if err != nil {
			return err
		}
		if stored.Plan != "" {
			return c.apply(ctx, a, importset.ApplyRequest{Path: stored.Plan, Actor: record.System})
		}
		if saved, err := a.Sources.Of(ctx, stored.Source); err != nil || saved != "" && unpathed(stored.Source) != nil {
			return errors.Join(err, c.runSource(ctx, a, saved, false, false))
		}
		in, err := c.openAgain(ctx, a, stored)
		if err != nil {
			return err
		}
		defer in.close()
		p := c.follow(in)
		run, err = a.Imports.Import(ctx, importset.Request{Source: in.Source, Maps: stored.Maps, Actor: record.System, Progress: p.run})
		p.done()
		return c.finish(ctx, a, run, err)
	})
	return c.onServer(cmd, c.remoteAct("resume?wait=true"))
}
