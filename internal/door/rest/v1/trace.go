package v1

import (
	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/outbound/trace"
)

func (a *API) traceOperations() []*operation {
	return []*operation{{id: "trace", method: "GET", path: "/trace/{table}/{id}", roles: admins,
		summary: "What the changes of a record led to: rules, events, handlers, calls, answers",
		params:  []record.Field{req("table", record.String, "The name of the table."), req("id", record.String, "The sys_id of the record, also of one that is deleted.")},
		answers: []outcome{{status: 200, doc: "The changes, the oldest first.", schema: fields("Trace").with(must("items", listOf(changeSchema())))}}, do: a.trace}}
}

// trace answers for records that are gone too: what their changes led to is not.
func (a *API) trace(c *call) (*reply, error) {
	if _, err := a.DB.Table(c.text("table")); err != nil {
		return nil, err
	}
	if a.Trace == nil {
		return nil, fault.New(fault.Refused, "this server keeps no traces")
	}
	changes, err := a.Trace(c.Context(), c.text("id"))
	if err != nil {
		return nil, err
	}
	if changes == nil {
		changes = []trace.Change{}
	}
	return &reply{body: map[string]any{"items": changes}}, nil
}

func changeSchema() *schema {
	return fields("Change", req("table", record.String, ""), req("sys_id", record.String, ""), req("operation", record.String, "insert, update or delete."),
		req("actor", record.String, ""), req("at", record.DateTime, ""), param("run", record.Integer, "The import run that it belongs to."),
		param("trace", record.String, "What it and all that it led to have in common."), param("suppressed", record.String, "Why rules were not asked.")).
		with(may("old", mapOf(text())), may("rules", listOf(ruleSchema())), may("events", listOf(eventSchema())), may("runs", listOf(handlerSchema())),
			may("deliveries", listOf(deliverySchema())))
}

func ruleSchema() *schema {
	return fields("TracedRule", req("name", record.String, ""), req("when", record.String, ""), req("order", record.Integer, ""),
		req("outcome", record.String, "fired, skipped, failed or aborted."), param("why", record.String, ""))
}

func eventSchema() *schema {
	return fields("TracedEvent", req("sys_id", record.String, ""), req("name", record.String, ""), req("state", record.String, ""), param("parm1", record.String, ""),
		param("parm2", record.String, ""), param("note", record.String, "What is odd about it.")).with(may("runs", listOf(handlerSchema())))
}

func handlerSchema() *schema {
	return fields("HandlerRun", req("sys_id", record.String, ""), req("kind", record.String, ""), req("name", record.String, ""), req("state", record.String, ""),
		req("attempts", record.Integer, ""), param("error", record.String, "Of the last attempt."), param("key", record.String, "The idempotency key."))
}

func deliverySchema() *schema {
	return fields("TracedDelivery", req("sys_id", record.String, ""), req("state", record.String, ""), req("method", record.String, ""), req("endpoint", record.String, ""),
		param("key", record.String, ""), param("reason", record.String, ""), param("error", record.String, ""), param("importSet", record.String, ""), param("rows", record.String, "")).
		with(may("attempts", listOf(mapOf(&schema{}))), may("wrote", listOf(mapOf(&schema{}))))
}
