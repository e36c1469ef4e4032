// Package basetables holds the tables that every server has beside those that the product's packages declare: tasks,
// configuration items, companies and the like, with their choices, numbers and first records.
package basetables

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"

	"headrace/internal/connect/yamlfile"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

//go:embed *.yaml
var files embed.FS

// actor writes what comes with the product. What somebody else wrote later is not touched again.
var actor = record.Actor{ID: "headrace", Name: "headrace", Trusted: true}

// revisionProperty is the record of sys_properties that says which base tables a store has.
const revisionProperty = "headrace.base.revision"

const propertyTable = "sys_properties"

// definition is what the files say, all of them together.
type definition struct {
	Tables  []record.Table `yaml:"tables"`
	Records []seeds        `yaml:"records"`
}

// Tables lists the base tables, as their files describe them.
func Tables() ([]record.Table, error) {
	d, err := read()
	return d.Tables, err
}

func read() (definition, error) {
	var all definition
	return all, each(func(name string, text []byte) error {
		var d definition
		if err := yamlfile.Decode(name, text, &d, nil); err != nil {
			return fault.Wrap(fault.Internal, err, "base tables of %s", name)
		}
		all.Tables = append(all.Tables, d.Tables...)
		all.Records = append(all.Records, d.Records...)
		return nil
	})
}

func each(visit func(name string, text []byte) error) error {
	names, err := files.ReadDir(".")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := files.ReadFile(name.Name())
		if err == nil {
			err = visit(name.Name(), text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Install makes the base tables in a store and their first records, and puts the product's own tables into the
// dictionary: once, and again when a newer product has others. What users have changed since stays as it is, tables
// that users made under the same names too. It reports whether there was anything to do; when not, it is one query.
func Install(ctx context.Context, db *record.DB) (made bool, err error) {
	want, err := revision(db)
	if err != nil {
		return false, err
	}
	if is, err := installed(ctx, db); err != nil || is == want {
		return false, err
	}
	d, err := read()
	if err != nil {
		return false, err
	}
	left, err := db.Declare(ctx, actor, append(db.Product(), d.Tables...)...)
	if err != nil {
		return false, err
	}
	if len(left) > 0 {
		slog.WarnContext(ctx, "base tables: what is there already stays as it is", "left", strings.Join(left, ", "))
	}
	records := append(d.Records, seeds{Table: propertyTable, Key: "name", Rows: []map[string]string{
		{"name": revisionProperty, "value": want, "description": "Which base tables there are", "is_private": "true"}}})
	return true, db.As(actor).Write(ctx, func(w *record.Writer) error {
		// Whoever else installs waits here, and then finds everything.
		if _, err := w.Bump(ctx, revisionProperty); err != nil {
			return err
		}
		for _, s := range records {
			if slices.Contains(left, s.Table) {
				continue
			}
			if err := s.plant(ctx, w, db); err != nil {
				return fault.During("first records of "+s.Table, err)
			}
		}
		return nil
	})
}

// revision names what would be installed: the files, and the tables that packages declare.
func revision(db *record.DB) (string, error) {
	sum := sha256.New()
	if err := each(func(_ string, text []byte) error { _, err := sum.Write(text); return err }); err != nil {
		return "", err
	}
	if err := json.NewEncoder(sum).Encode(db.Product()); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func installed(ctx context.Context, db *record.DB) (string, error) {
	t := db.Catalog().Table(propertyTable)
	if t == nil {
		return "", nil
	}
	r, err := db.As(actor).Get(ctx, t, record.IDFrom(propertyTable, revisionProperty))
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.Get("value").Text, nil
}
