package app

import (
	"context"

	"headrace/internal/app/basetables"
	"headrace/internal/flow/project"
	"headrace/internal/flow/script/glide"
)

// LoadProject reads a project's folder and holds it to all checks. The base tables are there then: what projects are
// about.
func (a *App) LoadProject(ctx context.Context, dir string) (*project.Project, error) {
	if _, err := basetables.Install(ctx, a.DB); err != nil {
		return nil, err
	}
	return a.Project.Load(ctx, dir)
}

// editorFiles are what editors want beside the scripts of a project: declarations of what these may call.
func editorFiles() map[string][]byte {
	return map[string][]byte{"headrace.d.ts": []byte(glide.Types),
		"jsconfig.json": []byte("{\n  \"compilerOptions\": {\"lib\": [\"es2021\"], \"checkJs\": true}\n}\n")}
}
