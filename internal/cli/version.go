package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (c *console) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "The version of this build", Args: exactly(), RunE: func(*cobra.Command, []string) error {
		v := struct {
			Version  string `json:"version"`
			Revision string `json:"revision,omitempty"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
		if info, ok := debug.ReadBuildInfo(); ok {
			v.Version = info.Main.Version
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					v.Revision = s.Value
				}
			}
		}
		return c.show(answer{value: v, header: []string{"version", "revision", "go", "platform"}, rows: [][]string{{v.Version, v.Revision, v.Go, v.Platform}},
			text: fmt.Sprintf("headrace %s %s %s\n", v.Version, v.Go, v.Platform)})
	}}
}
