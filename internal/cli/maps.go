package cli

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// mapFlags say how columns become fields.
type mapFlags struct {
	into, file, onDuplicate, mode string
	create                        bool
	coalesce                      []string
}

// choose settles the maps of an import.
func (m *mapFlags) choose(ctx context.Context, c *console, a *app.App, in *input) (*importset.Mapping, error) {
	choice := importset.Choice{Into: m.into, MapsFrom: m.file, Create: m.create, Coalesce: m.coalesce, OnDuplicate: m.onDuplicate, Mode: m.mode}
	if m.file != "" {
		var err error
		if choice.Maps, err = readMaps(ctx, a, m.file); err != nil {
			return nil, err
		}
	}
	return a.Imports.Choose(ctx, &in.Source, choice, func(req importset.SurveyRequest) (*importset.Survey, error) {
		return c.survey(ctx, a, in, req)
	})
}

// readMaps reads the maps of a file, or those that the newest run with a map of this name used.
func readMaps(ctx context.Context, a *app.App, name string) ([]transform.Def, error) {
	defs, missing := transform.ReadFile(name)
	if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, `./\`) {
		return defs, missing
	}
	runs, err := a.Imports.Runs(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, run := range slices.Backward(runs) {
		stored, err := a.Imports.Stored(ctx, run.Number)
		if err != nil {
			return nil, err
		}
		for _, d := range stored.Maps {
			if d.Name == name {
				return stored.Maps, nil
			}
			known[d.Name] = true
		}
	}
	f := fault.New(fault.Invalid, "there is no map file %s, and no run used a map of that name", name)
	if near := record.Nearest(name, slices.Collect(maps.Keys(known))); near != "" {
		return nil, f.WithHint("did you mean %q?", near)
	}
	return nil, f.WithHint("--map FILE.yaml; headrace inspect SRC --save FILE.yaml writes one to begin with")
}
