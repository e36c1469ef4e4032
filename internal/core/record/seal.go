package record

// Sealer makes what is stored of the value of a field of type Secret. It is not asked about empty values, and must
// leave alone what it has sealed already: blocks of records are copied.
type Sealer interface {
	Seal(t *Table, f *Field, text string) (string, error)
}

// sealNew seals the secrets of a record that is about to be inserted.
func (w *Writer) sealNew(r *Record) error {
	if w.session.db.sealer == nil {
		return nil
	}
	for i := range r.Table.Fields {
		if f := &r.Table.Fields[i]; f.Type == Secret {
			if err := w.sealValue(r.Table, f, &r.Values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// sealChanged seals those of the fields changed that are secrets.
func (w *Writer) sealChanged(r *Record, changed []Assignment) error {
	for _, a := range changed {
		f, v := r.Table.Field(a.Field), r.Get(a.Field)
		if f.Type != Secret {
			continue
		}
		if err := w.sealValue(r.Table, f, &v); err != nil {
			return err
		}
		r.Set(a.Field, v)
	}
	return nil
}

// sealRows gives a block with its secrets sealed: itself when it has none.
func (w *Writer) sealRows(t *Table, rows *Rows) (*Rows, error) {
	if w.session.db.sealer == nil {
		return rows, nil
	}
	out := *rows
	copied := false
	for at, name := range rows.Fields {
		f := t.Field(name)
		if f == nil || f.Type != Secret {
			continue
		}
		if !copied {
			out.Values = append([]Value(nil), rows.Values...)
			copied = true
		}
		for i := range out.Len() {
			if err := w.sealValue(t, f, &out.Row(i)[at]); err != nil {
				return nil, err
			}
		}
	}
	return &out, w.sealShared(t, &out)
}

// sealShared seals the values that all rows of a block share.
func (w *Writer) sealShared(t *Table, rows *Rows) error {
	copied := false
	for i, a := range rows.Shared {
		f := t.Field(a.Field)
		if f == nil || f.Type != Secret {
			continue
		}
		if !copied {
			rows.Shared = append([]Assignment(nil), rows.Shared...)
			copied = true
		}
		if err := w.sealValue(t, f, &rows.Shared[i].Value); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) sealValue(t *Table, f *Field, v *Value) error {
	if v.Empty() || w.session.db.sealer == nil {
		return nil
	}
	sealed, err := w.session.db.sealer.Seal(t, f, v.Text)
	if err == nil {
		v.Text = sealed
	}
	return err
}
