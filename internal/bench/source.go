package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A night is the full set once more, one row in a hundred changed.

// measureNights brings the file of a night in behind the file that it was made of, each time into an empty target. The
// load is its measure.
func measureNights(ctx context.Context, s settings, store string, files files, rivals []rival) (result, error) {
	night := result{store: store, what: "night"}
	p, err := theProduct(rivals)
	if err != nil {
		return night, err
	}
	for range s.runs {
		if err := p.fresh(ctx); err != nil {
			return night, err
		}
		load, err := measure(ctx, p, &files.load)
		if err != nil {
			return night, err
		}
		again, err := measure(ctx, p, &files.night)
		if err != nil {
			return night, err
		}
		night.floor, night.product = append(night.floor, load), append(night.product, again)
	}
	return night, nil
}

func theProduct(rivals []rival) (*product, error) {
	for _, r := range rivals {
		if p, ok := r.(*product); ok {
			return p, nil
		}
	}
	return nil, errors.New("the product is missing")
}

// source is a table of another database on the same server, with its primary key.
type source struct {
	*database
	files files
}

const sourceTable = "asset"

// fresh fills the table from the file.
func (s *source) fresh(ctx context.Context) error {
	if err := s.database.fresh(ctx); err != nil {
		return err
	}
	return plain(psql(ctx, s.url, "--command", "CREATE TABLE "+sourceTable+"("+floorColumns()+", PRIMARY KEY (asset_tag))",
		"--command", `\copy `+sourceTable+` FROM '`+strings.ReplaceAll(s.files.load.path, "'", "''")+`' CSV HEADER`,
		"--command", "VACUUM ANALYZE "+sourceTable))
}

// table is what is to be brought in: all rows, new ones.
func (s *source) table() file {
	f := s.files.load
	f.name = "table"
	return f
}

// night changes one row in a hundred. What the target must hold then is read from the source itself.
func (s *source) night(ctx context.Context) (file, error) {
	out, err := psql(ctx, s.url, "--tuples-only", "--no-align", "--command",
		"WITH changed AS (UPDATE "+sourceTable+" SET status = status || '.' WHERE hashtext(asset_tag) % 100 = 0 RETURNING 1) SELECT count(*) FROM changed").Output()
	if err != nil {
		return file{}, fmt.Errorf("changing the source: %w", err)
	}
	f := file{name: "table, 1 % changed", rows: s.files.load.rows}
	f.ledger = ledger{Read: f.rows}
	if f.ledger.Updated, err = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64); err != nil {
		return f, err
	}
	f.ledger.Unchanged = f.rows - f.ledger.Updated
	f.after, err = digestOf(s.content(ctx))
	return f, err
}

// sourceFloor copies the table out and in through a pipe, and merges it.
type sourceFloor struct {
	*postgresFloor
	from *source
}

func (f *sourceFloor) command(ctx context.Context, _ *file) *exec.Cmd {
	out := []string{"psql", "--no-psqlrc", "--quiet", "--dbname", f.from.url, "--command", `\copy ` + sourceTable + ` TO STDOUT`}
	in := []string{"psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", f.url, "--command", stageTable,
		"--command", `\copy stage FROM STDIN`, "--command", mergeStage()}
	return exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+quoted(out)+" | "+quoted(in))
}

func quoted(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(list, " ")
}

// sourceProduct is the product reading the table.
type sourceProduct struct {
	*product
	from *source
}

func (p *sourceProduct) command(ctx context.Context, _ *file) *exec.Cmd {
	args := append([]string{"import", p.from.url, "--table", sourceTable, "--into", "asset", "--map", p.maps, "-o", "json"}, p.where...)
	return exec.CommandContext(ctx, p.bin, args...)
}

// measureSource brings a table of another database into an empty one, floor and product in turn, and then once more with
// one row in a hundred changed, which is held against the product's own first load.
func measureSource(ctx context.Context, s settings, files files, rivals []rival) ([]result, error) {
	at := slices.IndexFunc(rivals, func(r rival) bool { return r.name() == floorName })
	floor, ok := rivals[at].(*postgresFloor)
	if !ok {
		return nil, errors.New("the floor is missing")
	}
	from := &source{floor.sibling("source"), files}
	takers := []rival{&sourceFloor{floor, from}}
	if !s.floors {
		p, err := theProduct(rivals)
		if err != nil {
			return nil, err
		}
		takers = append(takers, &sourceProduct{p, from})
	}
	load, night := result{store: "postgres", what: "source"}, result{store: "source", what: "night"}
	for range s.runs {
		if err := sourceRound(ctx, from, takers, &load, &night); err != nil {
			return nil, err
		}
	}
	if s.floors {
		return []result{load}, nil
	}
	return []result{load, night}, from.clear(ctx)
}

func sourceRound(ctx context.Context, from *source, takers []rival, load, night *result) error {
	if err := from.fresh(ctx); err != nil {
		return err
	}
	all := from.table()
	for _, r := range takers {
		if err := r.fresh(ctx); err != nil {
			return err
		}
		m, err := measure(ctx, r, &all)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(), err)
		}
		load.add(r.name(), m)
	}
	p, ok := takers[len(takers)-1].(*sourceProduct)
	if !ok {
		return nil
	}
	again, err := from.night(ctx)
	if err != nil {
		return err
	}
	m, err := measure(ctx, p, &again)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name(), err)
	}
	night.floor, night.product = append(night.floor, load.product[len(load.product)-1]), append(night.product, m)
	return nil
}

// sibling is another database of the same server.
func (d *database) sibling(name string) *database {
	u, err := url.Parse(d.url)
	if err != nil {
		panic(err) // scripts/pg made it
	}
	u.Path = "/" + name
	return &database{name: name, url: u.String(), admin: d.admin}
}
