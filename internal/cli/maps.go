package cli

import (
	"context"
	"os"
	"strings"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/importset"
	"headrace/internal/flow/transform"
)

// mapFlags say how columns become fields.
type mapFlags struct {
	into, file, onDuplicate, mode string
	create                        bool
	coalesce                      []string
}

// none reports whether nothing is said of the maps.
func (m *mapFlags) none() bool {
	return m.into == "" && m.file == "" && m.onDuplicate == "" && m.mode == "" && !m.create && len(m.coalesce) == 0
}

// choose settles the maps of an import. A saved data source has its own.
func (m *mapFlags) choose(ctx context.Context, c *console, a *app.App, in *input) (*importset.Mapping, error) {
	if in.opened != nil && in.opened.Saved != "" && m.none() {
		return &importset.Mapping{Maps: in.opened.Maps, Absent: in.opened.Absent}, in.opened.Fault
	}
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
	defs, err := a.Imports.MapsNamed(ctx, name)
	if fault.KindOf(err) == fault.NotFound && fault.HintOf(err) == "" {
		return nil, fault.New(fault.Invalid, "there is no map file %s, and no run used a map of that name", name).
			WithHint("--map FILE.yaml; headrace inspect SRC --save FILE.yaml writes one to begin with")
	}
	return defs, err
}
