package format

import (
	"slices"
	"strconv"
	"strings"

	"headrace/internal/core/fault"
	"headrace/internal/core/record"
)

// Check refuses options the fields do not describe and values that do not fit them, so that the getters below need
// no error of their own. The fault names the option and what would be right.
func (o Options) Check(fields []record.Field) error {
	for name, value := range o {
		i := slices.IndexFunc(fields, func(f record.Field) bool { return f.Name == name })
		if i < 0 {
			return fault.New(fault.Invalid, "unknown option %q", name).WithHint("options are %s", names(fields))
		}
		if err := checkValue(&fields[i], value); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(f *record.Field, value string) error {
	bad := func(want string) error {
		return fault.New(fault.Invalid, "option %s: %q is not %s", f.Name, value, want).WithHint("%s", f.Help)
	}
	switch {
	case value == "":
		return nil
	case f.Type == record.Boolean:
		if _, err := strconv.ParseBool(value); err != nil {
			return bad("true or false")
		}
	case f.Type == record.Integer:
		if _, ok := parseSize(value); !ok {
			return bad("a whole number of at least 0; sizes may end in KB, MB, GB or TB")
		}
	case len(f.Choices) > 0 && !f.HasChoice(value):
		var all []string
		for _, c := range f.Choices {
			all = append(all, c.Value)
		}
		return bad("one of " + strings.Join(all, ", "))
	}
	return nil
}

func names(fields []record.Field) string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

// Text gives an option's value, or def when it is absent or empty.
func (o Options) Text(name, def string) string {
	if v := o[name]; v != "" {
		return v
	}
	return def
}

// Bool gives a checked boolean option, or def when it is absent.
func (o Options) Bool(name string, def bool) bool {
	if v, err := strconv.ParseBool(o[name]); err == nil {
		return v
	}
	return def
}

// Size gives a checked whole number, with KB, MB, GB and TB as powers of 1024, or def when it is absent.
func (o Options) Size(name string, def int64) int64 {
	if v, ok := parseSize(o[name]); ok {
		return v
	}
	return def
}

func parseSize(s string) (int64, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	shift := 0
	for i, unit := range []string{"KB", "MB", "GB", "TB"} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s, shift = strings.TrimSpace(rest), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return 0, false
	}
	return n << shift, true
}

// Choices makes a choice list whose labels are its values.
func Choices(values ...string) []record.Option {
	out := make([]record.Option, len(values))
	for i, v := range values {
		out[i] = record.Option{Value: v, Label: v}
	}
	return out
}
