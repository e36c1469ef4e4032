package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/core/query"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
)

func (c *console) deliveryCommand() *cobra.Command {
	return group("delivery", "Calls to other systems: what was sent, what waits, what is dead", c.deliveryListCommand(), c.deliveryShowCommand(),
		c.deliveryReplayCommand(), c.deliveryCancelCommand())
}

var deliveryHeader = []string{"delivery", "state", "message", "method", "endpoint", "attempts", "status", "reason", "created", "next"}

func deliveryRow(d *outbound.Delivery) []string {
	name := d.Message
	if d.Function != "" {
		name += "." + d.Function
	}
	status := ""
	if d.Status > 0 {
		status = strconv.Itoa(d.Status)
	}
	return []string{d.ID, string(d.State), name, d.Method, d.Endpoint, strconv.Itoa(d.Attempts), status, d.Reason, moment(d.Created), moment(d.NextTry)}
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05Z")
}

// deliveryView is a delivery for json and yaml.
func deliveryView(d *outbound.Delivery) map[string]any {
	out := map[string]any{"id": d.ID, "state": d.State, "message": d.Message, "function": d.Function, "partner": d.Partner, "method": d.Method, "endpoint": d.Endpoint,
		"key": d.Key, "trace": d.Trace, "attempts": d.Attempts, "status": d.Status, "reason": d.Reason, "error": d.Error, "sourceTable": d.SourceTable,
		"sourceRecord": d.SourceID, "handler": d.Handler, "importSet": d.ImportSet, "created": moment(d.Created), "nextTry": moment(d.NextTry), "completed": moment(d.Completed)}
	if d.Tries != nil {
		out["request"], out["tries"] = d.Request, d.Tries
	}
	return out
}

func (c *console) deliveryListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "Deliveries, the newest first", Args: exactly(), Example: "  headrace delivery list --query state=dead"}
	where := cmd.Flags().String("query", "", "those that match an encoded `QUERY` of "+outbound.DeliveryTable)
	limit := cmd.Flags().Int("limit", 100, "at most `N`; 0 is all")
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, _ []string) error {
		which, err := deliveryQuery(a, *where)
		if err != nil {
			return err
		}
		found, err := a.Outbound.List(ctx, which, *limit)
		if err != nil {
			return err
		}
		out, values := answer{header: deliveryHeader}, []any{}
		for i := range found {
			out.rows = append(out.rows, deliveryRow(&found[i]))
			values = append(values, deliveryView(&found[i]))
		}
		out.value = values
		return c.show(out)
	})
	return cmd
}

// deliveryQuery reads an encoded query over deliveries.
func deliveryQuery(a *app.App, text string) (query.Node, error) {
	_, q, err := parseQuery(a, outbound.DeliveryTable, text)
	if err != nil {
		return nil, err
	}
	return q.Where, nil
}

func (c *console) deliveryShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show DELIVERY", Short: "One delivery with every attempt; secrets are not shown", Args: exactly("DELIVERY")}
	cmd.RunE = c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		d, err := a.Outbound.Show(ctx, args[0])
		if err != nil {
			return err
		}
		return c.show(answer{value: deliveryView(d), header: deliveryHeader, rows: [][]string{deliveryRow(d)}, text: deliveryDetails(d)})
	})
	return cmd
}

func deliveryDetails(d *outbound.Delivery) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "  %s  %s %s\n", d.ID, d.Method, oneLine(d.Endpoint, widest))
	line("state", strings.TrimSpace(string(d.State)+"  "+d.Reason))
	line("error", oneLine(d.Error, 400))
	line("message", strings.Trim(d.Message+"."+d.Function, "."))
	line("asked by", d.Handler)
	line("about", strings.Trim(d.SourceTable+" "+d.SourceID, " "))
	line("key", d.Key)
	line("trace", d.Trace)
	line("next", moment(d.NextTry))
	line("import", d.ImportSet)
	for _, try := range d.Tries {
		status := "no answer"
		if try.Status > 0 {
			status = strconv.Itoa(try.Status)
		}
		line("attempt "+strconv.Itoa(try.Number), fmt.Sprintf("%s  %s  %d ms  %s  %s", moment(try.Started), status, try.Millis, try.Outcome, oneLine(try.Error, 400)))
	}
	return b.String()
}

// chosen are the deliveries that a verb is about: by their ids, or all that match a query.
type chosen struct {
	query string
	all   bool
}

func (o *chosen) add(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&o.query, "query", "", "those that match an encoded `QUERY` of "+outbound.DeliveryTable)
	cmd.Flags().BoolVar(&o.all, "all", false, what)
}

// where gives the condition; preset is what --all stands for.
func (o *chosen) where(ctx context.Context, a *app.App, ids []string, preset string) (query.Node, error) {
	switch given := len(ids) > 0; {
	case given && (o.query != "" || o.all), o.query != "" && o.all:
		return nil, fault.New(fault.Invalid, "name deliveries, or give one of --query and --all")
	case o.all:
		return deliveryQuery(a, preset)
	case o.query != "":
		return deliveryQuery(a, o.query)
	case !given:
		return nil, fault.New(fault.Invalid, "no delivery is named").WithHint("give ids, --query QUERY, or --all")
	}
	var whole []string
	for _, id := range ids {
		d, err := a.Outbound.Show(ctx, id)
		if err != nil {
			return nil, err
		}
		whole = append(whole, d.ID)
	}
	return &query.Term{Field: record.SysID, Op: query.In, Values: whole}, nil
}

func (c *console) deliveryReplayCommand() *cobra.Command {
	var o chosen
	cmd := &cobra.Command{Use: "replay [DELIVERY...]", Short: "Send dead or cancelled deliveries again, with the same key; feed the answers of done ones into their import again",
		Args: exactly("[DELIVERY...]"), Example: "  headrace delivery replay --query state=dead^message=Partner"}
	o.add(cmd, "all that are dead")
	cmd.RunE = c.withApp(c.changing(&o, "state=dead", func(ctx context.Context, a *app.App, where query.Node) (int, error) {
		return a.Outbound.Replay(ctx, where)
	}, "queued again"))
	return cmd
}

func (c *console) deliveryCancelCommand() *cobra.Command {
	var o chosen
	cmd := &cobra.Command{Use: "cancel [DELIVERY...]", Short: "Call deliveries off that are still to be sent", Args: exactly("[DELIVERY...]")}
	o.add(cmd, "all that are still to be sent")
	cmd.RunE = c.withApp(c.changing(&o, "stateINready,retry,answered", func(ctx context.Context, a *app.App, where query.Node) (int, error) {
		return a.Outbound.Cancel(ctx, where)
	}, "cancelled"))
	return cmd
}

func (c *console) changing(o *chosen, preset string, change func(context.Context, *app.App, query.Node) (int, error), done string) work {
	return func(ctx context.Context, a *app.App, ids []string) error {
		where, err := o.where(ctx, a, ids, preset)
		if err != nil {
			return err
		}
		n, err := change(ctx, a, where)
		if err != nil {
			return err
		}
		return c.show(answer{value: map[string]int{"deliveries": n}, header: []string{"deliveries"}, rows: [][]string{{strconv.Itoa(n)}},
			text: fmt.Sprintf("  %d %s\n", n, done)})
	}
}
