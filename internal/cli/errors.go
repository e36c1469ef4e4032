package cli

import (
	"encoding/json"
	"fmt"

	"headrace/internal/core/fault"
)

// Exit codes. Scripts depend on them: docs/cli.md documents them, a test holds both together.
const (
	exitDone         = 0
	exitFailed       = 1
	exitInput        = 2
	exitSurroundings = 3
	exitRejected     = 4
	exitChanges      = 5
	exitInterrupted  = 130
)

// exitCodes gives the exit code of every kind of fault.
var exitCodes = map[fault.Kind]int{
	fault.Internal:    exitFailed,
	fault.Invalid:     exitInput,
	fault.NotFound:    exitInput,
	fault.Conflict:    exitFailed,
	fault.Denied:      exitSurroundings, // the command line acts with full rights: only the system denies anything
	fault.Refused:     exitFailed,
	fault.Unavailable: exitSurroundings,
	fault.Limit:       exitFailed,
	fault.Canceled:    exitInterrupted,
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	return exitCodes[fault.KindOf(err)]
}

// errorBody is an error inside the envelope.
type errorBody struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func bodyOf(err error) *errorBody {
	return &errorBody{Kind: fault.KindOf(err).String(), Message: err.Error(), Hint: fault.HintOf(err)}
}

// fail tells an error: to people always, in the envelope where one was asked for.
func (c *console) fail(err error) {
	fmt.Fprintf(c.err, "headrace: %s %s\n", c.paint(red, "error:"), err.Error())
	hint := fault.HintOf(err)
	if hint != "" {
		fmt.Fprintf(c.err, "%s %s\n", c.paint(bold, "hint:"), hint)
	}
	output := c.settings.Output
	if output == "" {
		output = c.given.Output
	}
	if output != "json" && output != "yaml" || c.enveloped {
		return
	}
	c.settings.Output = output
	if err := c.writeEnvelope(envelope{Command: c.verb, Result: c.partial, Error: bodyOf(err)}); err != nil {
		fmt.Fprintln(c.err, "headrace:", err)
	}
}

// envelope is the form of every result for programs.
type envelope struct {
	Command string     `json:"command"`
	OK      bool       `json:"ok"`
	Result  any        `json:"result"`
	Error   *errorBody `json:"error"`
}

func marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the result cannot be written as JSON")
	}
	return text, nil
}
