package advisor_test

import (
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/flow/advisor"
)

// Whatever a file holds: it is refused as invalid with a hint, or its answers can be decided.
func FuzzParse(f *testing.F) {
	f.Add([]byte("initiator: us\noperation: read\nfile: yes\n"))
	f.Add([]byte("initiator: app\noperation: create\nvolume: 70000\n---\n"))
	f.Add([]byte("story: >\n  text\ninitiator: &a us\noperation: *a\n"))
	f.Add([]byte("{initiator: us, operation: create, <<: {}}"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := advisor.Parse("a.yaml", data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || fault.HintOf(err) == "" {
				t.Fatalf("%v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
			}
			return
		}
		if _, err := advisor.Advise(a); err != nil {
			t.Fatalf("%v: %v", a, err)
		}
	})
}
