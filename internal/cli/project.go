package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/record"
	"headrace/internal/flow/project"
)

func (c *console) initCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{Use: "init [DIR]", Short: "Make a folder a project: configuration as files", Args: exactly("[DIR]"),
		Long: "Writes project.yaml, the folders of the kinds of configuration, and the JSON Schemas by which editors complete and check.\nIn a project it brings the schemas up to date and touches nothing else."}
	cmd.Flags().StringVar(&name, "name", "", "the project's `NAME` (default: the folder's)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := app.Scratch(cmd.Context())
		if err != nil {
			return err
		}
		dir := folderOf(args)
		written, err := a.Project.Init(dir, name)
		if closing := a.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
		return c.show(fileAnswer(dir, written, map[string]any{"folder": dir, "files": written}))
	}
	return cmd
}

func folderOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func fileAnswer(dir string, files []string, value any) answer {
	out := answer{value: value, header: []string{"file"}}
	var b strings.Builder
	for _, f := range files {
		out.rows = append(out.rows, []string{f})
		if !strings.HasPrefix(f, ".headrace/") {
			fmt.Fprintf(&b, "  %s\n", f)
		}
	}
	fmt.Fprintf(&b, "  %d files written in %s\n", len(files), dir)
	out.text = b.String()
	return out
}

func (c *console) projectCommand() *cobra.Command {
	return group("project", "Configuration as files: rules, scripts, messages, maps", c.projectLintCommand(), c.projectPlanCommand(), c.projectApplyCommand(), c.projectExportCommand())
}

func (c *console) projectLintCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lint [DIR]", Short: "What is wrong in a project's files, and what seldom works", Args: exactly("[DIR]"),
		Long: "Ends with exit code 2 when there are mistakes; warnings alone end with 0. Nothing is changed."}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		p, err := a.LoadProject(ctx, folderOf(args))
		if err != nil {
			return err
		}
		if p.Err() != nil {
			c.code = exitInput
		}
		return c.show(lintAnswer(p))
	})
	return cmd
}

func lintAnswer(p *project.Project) answer {
	out := answer{header: []string{"place", "kind", "code", "message", "hint"}}
	findings := append([]project.Finding{}, p.Findings...)
	out.value = map[string]any{"project": p.Name, "findings": findings}
	var b strings.Builder
	mistakes := 0
	for _, f := range findings {
		kind := "warning"
		if !f.Warning {
			kind = "error"
			mistakes++
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", f.Place, kind, f.Message)
		if f.Hint != "" {
			fmt.Fprintf(&b, "  -> %s\n", f.Hint)
		}
		out.rows = append(out.rows, []string{f.Place, kind, f.Code, f.Message, f.Hint})
	}
	fmt.Fprintf(&b, "  %s: records and tables %d, mistakes %d, warnings %d\n", p.Name, p.Count(), mistakes, len(findings)-mistakes)
	out.text = b.String()
	return out
}

func (c *console) projectPlanCommand() *cobra.Command {
	var detailed bool
	cmd := &cobra.Command{Use: "plan [DIR]", Short: "What applying a project would change, field by field", Args: exactly("[DIR]"),
		Long: "Nothing is changed. Right after an apply the plan is empty."}
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "end with 5 when there are changes")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		p, err := a.LoadProject(ctx, folderOf(args))
		if err != nil {
			return err
		}
		plan, err := a.Project.Plan(ctx, p)
		if err != nil {
			return err
		}
		if detailed && len(plan.Changes) > 0 {
			c.code = exitChanges
		}
		return c.show(projectAnswer(plan, "to make, %d to change, %d to remove"))
	})
	return cmd
}

func (c *console) projectApplyCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{Use: "apply [DIR]", Short: "Bring the records to what a project says, in one transaction", Args: exactly("[DIR]"),
		Long: "All of it is done or nothing. What the project had before and has no longer is removed; what others made is left alone."}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell what would change: project plan")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		p, err := a.LoadProject(ctx, folderOf(args))
		if err != nil {
			return err
		}
		if dryRun {
			plan, err := a.Project.Plan(ctx, p)
			if err != nil {
				return err
			}
			return c.show(projectAnswer(plan, "to make, %d to change, %d to remove"))
		}
		c.warn(p)
		plan, err := a.Project.Apply(ctx, p)
		if err != nil {
			return err
		}
		return c.show(c.applied(plan))
	})
	return cmd
}

// applied tells what an apply did: the sums, and with --verbose what changed.
func (c *console) applied(plan *project.Plan) answer {
	out := projectAnswer(plan, "made, %d changed, %d removed")
	if lines := strings.SplitAfter(strings.TrimSuffix(out.text, "\n"), "\n"); !c.settings.Verbose {
		out.text = lines[len(lines)-1] + "\n"
	}
	return out
}

// warn tells the warnings about a project.
func (c *console) warn(p *project.Project) {
	for _, f := range p.Findings {
		c.note("%s: warning: %s", f.Place, f.Message)
	}
}

func projectAnswer(p *project.Plan, sums string) answer {
	out := answer{value: p, header: []string{"operation", "kind", "name", "property", "old", "new"}}
	var b strings.Builder
	signs := map[record.Operation]string{record.Inserted: "+", record.Updated: "~", record.Deleted: "-"}
	for _, change := range p.Changes {
		fmt.Fprintf(&b, "%s %s %s\n", signs[change.Operation], change.Kind, change.Name)
		if len(change.Fields) == 0 {
			out.rows = append(out.rows, []string{string(change.Operation), change.Kind, change.Name, "", "", ""})
		}
		for _, f := range change.Fields {
			before, now := f.Old, f.New
			if f.Secret {
				before, now = "***", "***"
			}
			out.rows = append(out.rows, []string{string(change.Operation), change.Kind, change.Name, f.Property, before, now})
			if change.Operation == record.Inserted {
				fmt.Fprintf(&b, "    %s: %s\n", f.Property, oneLine(now, widest))
			} else {
				fmt.Fprintf(&b, "    %s: %s -> %s\n", f.Property, oneLine(before, widest), oneLine(now, widest))
			}
		}
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "  %s\n", note)
	}
	inserted, updated, deleted := p.Count()
	fmt.Fprintf(&b, "  %s: %d "+sums+"\n", p.Project, inserted, updated, deleted)
	out.text = b.String()
	return out
}

func (c *console) projectExportCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{Use: "export DIR", Short: "Write what is configured as a project's files", Args: exactly("DIR"),
		Long: "Everything but what comes with the product and what belongs to another project. In a folder that is a project, only files that\ndo not say what is are written. Secrets are written as references."}
	cmd.Flags().StringVar(&name, "name", "", "the project's `NAME`, for a folder that is none yet")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		out, err := a.Project.Export(ctx, args[0], name)
		if err != nil {
			return err
		}
		return c.show(fileAnswer(args[0], out.Files, out))
	})
	return cmd
}
