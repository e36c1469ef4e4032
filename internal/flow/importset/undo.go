package importset

// UndoReport says what an undo did.
type UndoReport struct {
	Removed  int64     `json:"removed"`
	Restored int64     `json:"restored"`
	Refused  int64     `json:"refused"`
	List     []Refusal `json:"refusals,omitempty"` // the first ones
}

// Refusal is a record that was left as it is, and why.
type Refusal struct {
	Table  string `json:"table"`
	Record string `json:"record"`
	Why    string `json:"why"`
}
