package v1

import (
	"headrace/internal/core/record"
	"headrace/internal/flow/importset"
)

func req(name string, t record.Type, help string) record.Field {
	return needed(param(name, t, "%s", help))
}

func ledgerFields() []record.Field {
	return []record.Field{req("read", record.Integer, "Rows read: the sum of all fates."), req("inserted", record.Integer, ""), req("updated", record.Integer, ""),
		req("unchanged", record.Integer, ""), req("skipped", record.Integer, ""), req("rejected", record.Integer, ""),
		param("pending", record.Integer, "Rows without a fate yet, while the run has not ended.")}
}

func ledgerSchema() *schema { return fields("Ledger", ledgerFields()...) }

func runSchema() *schema {
	list := append([]record.Field{req("run", record.Integer, "The number of the run."),
		needed(oneOf(param("state", record.String, "Halted and cancelled runs can be resumed."), "running", "done", "halted", "cancelled", "failed", "undone")),
		req("source", record.String, ""), req("target", record.String, "The table of the first map."), req("format", record.String, "")}, ledgerFields()...)
	list = append(list, req("seconds", record.Decimal, "Time it took so far."), req("started", record.DateTime, ""),
		param("resumed_at_row", record.Integer, "Rows that an earlier attempt had done."), param("message", record.String, "Why it did not end well."))
	return fields("Run", list...).with(may("maps", listOf(mapRunSchema())), may("undo", undoReport()), may("reasons", listOf(groupSchema())), may("notes", listOf(text())), may("absent", absentSchema()))
}

func mapRunSchema() *schema {
	return fields("MapRun", req("map", record.String, ""), req("target", record.String, "")).with(must("ledger", ledgerSchema()))
}

func rejectSchema() *schema {
	return fields("Reject", param("column", record.String, "Of the source."), param("field", record.String, "Of the target."), param("value", record.String, ""),
		req("msg", record.String, "Why the row cannot be used."), param("hint", record.String, "How to mend it."))
}

func groupSchema() *schema {
	return fields("Group", req("fate", record.String, ""), req("reason", record.String, "The reason code."), param("column", record.String, ""),
		req("rows", record.Integer, "")).with(must("lines", listOf(whole())), must("example", orNullable(rejectSchema())))
}

// orNullable allows null in the place of a named schema.
func orNullable(s *schema) *schema {
	s.name += "OrNull"
	return orNull(s)
}

func rowSchema() *schema {
	return fields("Row", req("row", record.Integer, "From 0."), req("line", record.Integer, "Of the source."), req("fate", record.String, ""),
		param("reason", record.String, "The reason code of skipped and rejected rows."), param("target", record.String, "The record that the row went to.")).
		with(may("reject", rejectSchema()), must("values", mapOf(text())))
}

func pageOf(name string, items *schema) *schema {
	return fields(name, param("next", record.String, "The cursor of the next page; missing on the last.")).with(must("items", listOf(items)))
}

func undoFields() []record.Field {
	return []record.Field{req("run", record.Integer, ""), req("removed", record.Integer, "Records that the run had inserted."),
		req("restored", record.Integer, "Records that have their old values again."), req("refused", record.Integer, "Records left as they are: somebody changed them since.")}
}

func refusalSchema() *schema {
	return fields("Refusal", req("table", record.String, ""), req("record", record.String, ""), req("why", record.String, ""))
}

func absentSchema() *schema {
	example := fields("AbsentRecord", req("record", record.String, ""), req("display", record.String, ""))
	return fields("AbsentReport", needed(oneOf(param("state", record.String, ""), importset.AbsentPlanned, importset.AbsentRefused, importset.AbsentRunning, importset.AbsentDone)),
		param("target", record.String, "The table."), param("where", record.String, "Encoded query: the records that the source answers for."),
		needed(oneOf(param("policy", record.String, ""), string(importset.FlagAbsent), string(importset.DeactivateAbsent), string(importset.DeleteAbsent))),
		param("field", record.String, "That is set by flag and deactivate."), param("value", record.String, ""),
		req("max_percent", record.Decimal, "More of the records answered for are not believed."), req("max_rows", record.Integer, "Nor are more than these."),
		param("allow_rejected", record.Boolean, ""), req("records", record.Integer, "That the source answers for, before anything was done."), req("absent", record.Integer, ""),
		req("flagged", record.Integer, ""), req("deactivated", record.Integer, ""), req("deleted", record.Integer, ""), req("kept", record.Integer, "That a rule did not let go."),
		param("why", record.String, "Why nothing was touched.")).with(may("examples", listOf(example)), may("kept_records", listOf(refusalSchema())))
}

func undoReport() *schema {
	return fields("UndoReport", undoFields()...).with(may("refusals", listOf(refusalSchema())))
}

func undoSchema() *schema {
	return fields("Undo", append(undoFields(), req("dry_run", record.Boolean, ""))...).with(may("refusals", listOf(refusalSchema())))
}

func surveySchema() *schema {
	column := fields("Column", req("header", record.String, ""), req("name", record.String, "As a field."), req("type", record.String, ""),
		param("date_format", record.String, ""), req("blank", record.Integer, ""), req("distinct", record.Integer, ""), req("distinct_exact", record.Boolean, ""),
		req("max_length", record.Integer, "")).with(must("samples", orNull(listOf(text()))), may("warnings", listOf(text())))
	key := fields("Key", req("unique", record.Boolean, ""), req("duplicates", record.Integer, ""), req("blank", record.Integer, ""), req("case_variants", record.Integer, ""),
		req("space_variants", record.Integer, ""), req("variants_counted", record.Boolean, ""), param("into", record.String, ""), req("indexed", record.Boolean, ""),
		req("matches", record.Integer, ""), req("ambiguous", record.Integer, ""), req("inserts", record.Integer, ""), req("skips", record.Integer, ""),
		req("forecast_seconds", record.Decimal, "")).with(must("columns", listOf(text())),
		may("examples", listOf(fields("KeyExample", req("key", record.String, "")).with(must("lines", listOf(whole()))))))
	suggestion := fields("Suggestion", req("column", record.String, ""), req("field", record.String, ""), req("score", record.Integer, ""))
	return fields("Survey", req("source", record.String, ""), req("size", record.Integer, "Bytes."), req("sha256", record.String, ""), req("format", record.String, ""),
		req("rows", record.Integer, ""), req("bad_rows", record.Integer, "Rows that cannot be read."), req("seconds", record.Decimal, "")).
		with(may("dialect", mapOf(text())), may("notes", listOf(text())), must("columns", orNull(listOf(column))), may("key", key),
			may("suggestions", listOf(suggestion)), may("problems", listOf(groupSchema())))
}

func planSchema() *schema {
	change := fields("FieldChange", req("field", record.String, "")).with(must("old", orNull(text())), must("new", orNull(text())))
	planned := fields("PlannedChange", req("line", record.Integer, ""), req("fate", record.String, ""), param("target", record.String, ""), param("key", record.String, "")).
		with(must("fields", orNull(listOf(change))))
	list := append([]record.Field{req("id", record.String, ""), req("state", record.String, "planned"), req("source", record.String, ""),
		req("made", record.DateTime, ""), req("made_by", record.String, "")}, ledgerFields()...)
	return fields("Plan", list...).with(must("targets", listOf(text())), may("maps", listOf(mapRunSchema())), may("groups", listOf(groupSchema())),
		may("changes", listOf(planned)), may("created", mapOf(whole())), may("notes", listOf(text())), may("absent", absentSchema()))
}

func tableFields() []record.Field {
	return []record.Field{req("name", record.String, ""), param("label", record.String, ""), param("extends", record.String, "The table whose fields it inherits.")}
}

func fieldSchema() *schema {
	types := make([]string, len(record.Types))
	for i, t := range record.Types {
		types[i] = string(t)
	}
	return fields("Field", req("name", record.String, ""), param("label", record.String, ""), needed(oneOf(param("type", record.String, ""), types...)),
		param("length", record.Integer, "Most characters; 0 is unbounded."), param("mandatory", record.Boolean, ""), param("readOnly", record.Boolean, ""),
		param("unique", record.Boolean, ""), param("display", record.Boolean, "The field that stands for the record."), param("default", record.String, ""),
		param("reference", record.String, "The table a reference points to."), param("help", record.String, "")).
		with(may("choices", listOf(fields("Choice", req("value", record.String, ""), req("label", record.String, "")))))
}

func indexSchema() *schema {
	return fields("Index", param("unique", record.Boolean, "")).with(must("fields", listOf(text())))
}

func tableSchema() *schema {
	return fields("Table", append(tableFields(), param("extendable", record.Boolean, ""))...).with(must("fields", listOf(fieldSchema())), may("indexes", listOf(indexSchema())))
}
