package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"headrace/internal/core/fault"
)

func TestAFaultKeepsItsKindAndHintThroughWrapping(t *testing.T) {
	base := fault.Wrap(fault.NotFound, io.EOF, "no map %q", "a").WithHint("make one")
	err := fault.During("import", fault.During("map a", fmt.Errorf("reading: %w", base)))
	if fault.KindOf(err) != fault.NotFound || fault.HintOf(err) != "make one" || !errors.Is(err, io.EOF) {
		t.Errorf("%v: kind %v, hint %q", err, fault.KindOf(err), fault.HintOf(err))
	}
	if want := `import: map a: no map "a": EOF`; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if base.Op != "" {
		t.Error("naming the operation changed the fault itself")
	}
}

func TestKindsOfForeignErrors(t *testing.T) {
	if fault.KindOf(context.Canceled) != fault.Canceled || fault.KindOf(io.EOF) != fault.Internal || fault.HintOf(io.EOF) != "" {
		t.Error("errors that are no faults are cancellations or internal")
	}
	if fault.During("x", nil) != nil {
		t.Error("no error stays none")
	}
}
