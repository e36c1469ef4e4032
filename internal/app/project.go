package app

import (
	"context"
	"errors"

	"headrace/internal/app/basetables"
	"headrace/internal/core/record"
	"headrace/internal/flow/importset/datasource"
	"headrace/internal/flow/outbound/export"
	"headrace/internal/flow/project"
	"headrace/internal/flow/script/glide"
)

// LoadProject reads a project's folder and holds it to all checks. What projects are about is there then.
func (a *App) LoadProject(ctx context.Context, dir string) (*project.Project, error) {
	if err := ground(ctx, a.DB, a.Sources, a.Exports); err != nil {
		return nil, err
	}
	return a.Project.Load(ctx, dir)
}

// ground makes what every store has: the base tables, and the events that the product fires itself.
func ground(ctx context.Context, db *record.DB, sources *datasource.Service, exports *export.Service) error {
	if _, err := basetables.Install(ctx, db); err != nil {
		return err
	}
	return errors.Join(sources.Register(ctx), exports.Register(ctx))
}

// editorFiles are what editors want beside the scripts of a project: declarations of what these may call.
func editorFiles() map[string][]byte {
	return map[string][]byte{"headrace.d.ts": []byte(glide.Types),
		"jsconfig.json": []byte("{\n  \"compilerOptions\": {\"lib\": [\"es2021\"], \"checkJs\": true}\n}\n")}
}
