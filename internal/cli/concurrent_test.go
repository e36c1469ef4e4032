package cli_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// overlapping writes a delivery of the keys from first on, in an order of its own. The cost says which delivery it is.
func overlapping(first, keys, step int, cost string) []byte {
	var b bytes.Buffer
	b.WriteString("Tag,Name,Purchased,Cost\n")
	for i := range keys {
		key := first + i*step%keys
		fmt.Fprintf(&b, "K%06d,server %d,2026-01-02,%s\n", key, key, cost)
	}
	return b.Bytes()
}

func TestTwoImportsIntoOneTableAtOnce(t *testing.T) {
	keys := short(12_000, 30_000)
	common := keys / 5 * 4
	onBoth(t, func(t *testing.T, h *home) {
		h.write(t, "map.yaml", []byte(assetMap))
		// No unique index: what keeps a key from being there twice is the import alone.
		h.must(t, 0, "table", "create", "asset", "--field", "tag:string", "--field", "name:string", "--field", "purchased:date", "--field", "cost:decimal")
		h.write(t, "one.csv", overlapping(0, keys, 7, "1.5"))
		h.write(t, "two.csv", overlapping(keys-common, keys, 11, "2.5"))
		total := int64(2*keys - common)
		for round := range short(2, 20) {
			one, two := h.start(t, "import", "one.csv", "--map", "map.yaml", "-o", "json"), h.start(t, "import", "two.csv", "--map", "map.yaml", "-o", "json")
			var inserted, updated int64
			for _, p := range []*process{one, two} {
				e := p.end()
				if e.code != 0 {
					t.Fatalf("round %d\n%s", round, e)
				}
				r := decode[runJSON](t, e)
				if !r.balances() || r.Pending != 0 || r.Read != int64(keys) || r.Skipped+r.Rejected != 0 {
					t.Fatalf("round %d: run %d is %+v", round, r.Run, r)
				}
				h.staging(t, &r)
				inserted, updated = inserted+r.Inserted, updated+r.Updated
			}
			h.content(t)
			if n := h.count(t, ""); n != total {
				t.Fatalf("round %d: %d records, want %d: each key once", round, n, total)
			}
			if round == 0 && (inserted != total || updated != int64(common)) {
				t.Fatalf("%d inserted and %d updated, want %d and %d", inserted, updated, total, common)
			}
		}
	})
}

func TestOneOfTwoProcessesResumesAHaltedRun(t *testing.T) {
	const keys = 30_000
	onBoth(t, func(t *testing.T, h *home) {
		h.makeAssets(t)
		whole := zipped(t, overlapping(0, keys, 7, "1.5"))
		h.write(t, "one.csv.gz", whole[:len(whole)*2/3])
		args := []string{"import", "one.csv.gz", "--map", "map.yaml", "-o", "json"}
		e := h.run(t, args...)
		halted := decode[runJSON](t, e)
		if e.code == 0 || halted.State != "halted" || halted.Read == 0 || halted.Read == keys || !halted.balances() {
			t.Fatalf("a source that is cut short: %+v\n%s", halted, e)
		}
		h.write(t, "one.csv.gz", whole)
		resumed := 0
		for _, p := range []*process{h.start(t, args...), h.start(t, args...)} {
			e := p.end()
			r := decode[runJSON](t, e)
			switch {
			case e.code == 0 && r.Run == halted.Run && r.Resumed == halted.Read && r.Read == keys && r.Inserted == keys:
				resumed++
			case e.code == 0 && r.Run != halted.Run && r.Unchanged == keys: // came when the other had ended
			case e.code == 1 && strings.Contains(string(e.stderr), "imports this at the moment"):
			default:
				t.Errorf("%s", e)
			}
		}
		if resumed != 1 {
			t.Errorf("%d of two processes resumed the run", resumed)
		}
		h.content(t)
		if n := h.count(t, ""); n != keys {
			t.Errorf("%d records, want %d", n, keys)
		}
	})
}

func zipped(t testing.TB, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// count is how many assets an encoded query finds.
func (h *home) count(t testing.TB, query string) int64 {
	t.Helper()
	e := h.must(t, 0, "record", "count", "asset", "--query", query)
	n, err := strconv.ParseInt(strings.TrimSpace(string(e.stdout)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
