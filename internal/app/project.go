package app

import (
	"context"

	"headrace/internal/app/basetables"
	"headrace/internal/flow/project"
)

// LoadProject reads a project's folder and holds it to all checks. The base tables are there then: what projects are
// about.
func (a *App) LoadProject(ctx context.Context, dir string) (*project.Project, error) {
	if _, err := basetables.Install(ctx, a.DB); err != nil {
		return nil, err
	}
	return a.Project.Load(ctx, dir)
}
