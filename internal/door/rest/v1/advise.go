package v1

import (
	"encoding/json"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
	"headrace/internal/flow/advisor"
)

func (a *API) advisorOperations() []*operation {
	question := fields("Question", req("key", record.String, ""), req("ask", record.String, ""), req("why", record.String, ""), param("whom", record.String, "Who would know."),
		req("number", record.Boolean, "A whole number is an answer, too.")).with(must("choices", listOf(text())))
	return []*operation{
		{id: "listQuestions", method: "GET", path: "/advisor/questions", summary: "What the advisor may need to know",
			answers: []outcome{{status: 200, doc: "The questions, in the order of asking.", schema: fields("Questions").with(must("items", listOf(question)))}}, do: listQuestions},
		{id: "advise", method: "POST", path: "/advisor", summary: "Which way of integrating fits?",
			doc: "Answers in, ranking out. With classic, the source article's pictures to the letter.",
			body: fields("AdviseRequest", param("classic", record.Boolean, "")).
				with(must("answers", &schema{kind: "object", values: &schema{}, help: "Question key to value; a key that is missing was not answered."})),
			answers: []outcome{{status: 200, doc: "The ranking.", schema: adviceSchema()}}, do: advise},
	}
}

func adviceSchema() *schema {
	note := fields("AdviceNote", req("rule", record.String, ""), req("text", record.String, ""))
	step := fields("Step", req("rule", record.String, ""), req("points", record.Integer, ""), req("text", record.String, ""))
	choice := fields("PatternChoice", req("pattern", record.String, ""), req("title", record.String, ""), req("feasible", record.Boolean, ""),
		req("available", record.Boolean, "Whether this product can run it today."), req("score", record.Integer, ""), req("note", record.String, "")).
		with(must("reasons", orNull(listOf(text()))), must("missing", orNull(listOf(text()))), must("arithmetic", orNull(listOf(step))))
	flip := fields("Flip", req("key", record.String, ""), req("from", record.String, ""), req("to", record.String, ""), req("what", record.String, ""),
		req("first", record.String, ""), req("score", record.Integer, ""), req("rule", record.String, ""))
	unlock := fields("Unlock", req("rule", record.String, ""), req("text", record.String, ""), param("ask", record.String, ""))
	artefact := fields("Artefact", req("name", record.String, ""), req("required", record.Boolean, ""))
	preference := fields("Preference", req("id", record.String, ""), req("pattern", record.String, ""), req("way", record.String, ""))
	turn := fields("Turn", req("key", record.String, ""), req("ask", record.String, ""), req("answer", record.String, ""))
	texts := func() *schema { return orNull(listOf(text())) }
	return fields("Advice", req("rule", record.String, ""), req("row", record.String, ""), req("reason", record.String, "")).
		with(must("first", orNull(text())), must("ranked", orNull(listOf(choice))), must("flips", orNull(listOf(flip))), must("unlocks", orNull(listOf(unlock))),
			must("texts", orNull(listOf(note))), must("warnings", orNull(listOf(note))), must("assumed", texts()), must("unknowns", texts()), must("open", texts()),
			must("artefacts", orNull(listOf(artefact))), may("preferences", listOf(preference)), must("path", orNull(listOf(turn))))
}

func listQuestions(*call) (*reply, error) {
	type item struct {
		Key     string   `json:"key"`
		Ask     string   `json:"ask"`
		Why     string   `json:"why"`
		Whom    string   `json:"whom,omitempty"`
		Number  bool     `json:"number"`
		Choices []string `json:"choices"`
	}
	items := []item{}
	for _, q := range advisor.Questions() {
		choices := q.Choices()
		if choices == nil {
			choices = []string{}
		}
		items = append(items, item{q.Key, q.Ask, q.Why, q.Whom, q.AlsoNumber(), choices})
	}
	return &reply{body: map[string]any{"items": items}}, nil
}

func advise(c *call) (*reply, error) {
	given, err := json.Marshal(c.body["answers"])
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the answers cannot be read")
	}
	answers, err := advisor.Parse("answers", given) // JSON is YAML
	if err != nil {
		return nil, err
	}
	if classic, _ := c.body["classic"].(bool); classic {
		result, err := advisor.Classic(answers)
		return &reply{body: result}, err
	}
	result, err := advisor.Advise(answers)
	if err == nil {
		result.Open = advisor.Open(answers)
	}
	return &reply{body: result}, err
}
