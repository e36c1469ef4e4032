package cli

import (
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"headrace/internal/connect/mock"
)

func (c *console) mockCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "mock DIR", Short: "Play the partner that the YAML files of a folder describe, with its faults, until interrupted", Args: exactly("DIR"),
		Example: "  headrace mock examples/partner --listen 127.0.0.1:9000"}
	listen := cmd.Flags().String("listen", "127.0.0.1:0", "listen on this `ADDRESS`; port 0 is any free one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		routes, err := mock.Folder(args[0])
		if err != nil {
			return err
		}
		var mu sync.Mutex
		s, err := mock.Start(cmd.Context(), mock.New(routes, func(r mock.Received) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(c.out, mockLine(r))
		}), *listen)
		if err != nil {
			return err
		}
		c.note("partner on %s with %d routes", s.URL, len(routes))
		<-cmd.Context().Done()
		return s.Close()
	}
	return cmd
}

// mockLine tells of a request: what was asked, and what was answered.
func mockLine(r mock.Received) string {
	status := "no answer"
	if r.Status > 0 {
		status = fmt.Sprint(r.Status)
	}
	line := fmt.Sprintf("%s %s -> %s", r.Method, oneLine(r.Path, widest), status)
	if r.Key != "" {
		line += "  key " + oneLine(r.Key, widest)
	}
	if r.Repeat {
		line += "  (seen before)"
	}
	return line
}
