package csv_test

import (
	"bytes"
	"fmt"
	"testing"

	"headrace/internal/connect/format/csv"
	"headrace/internal/core/record"
)

type value = record.Value

func table(rows int, quoted bool) []byte {
	var b bytes.Buffer
	b.WriteString("asset,serial,name,model,manufacturer,email,location,date,cost,status,ip,description\n")
	for i := range rows {
		d := "bought with the second frame contract and moved twice since; contact facilities before any change of place"
		if quoted && i%4 == 0 {
			d = `"bought, ""second hand"", with the frame contract and moved twice since; contact facilities, before any change"`
		}
		fmt.Fprintf(&b, "A%07d,SN-%09d,server-%d.example.net,PowerEdge R%d,Dell Inc.,user%d@example.net,Building %d Rack %d,2024-%02d-%02d,%d.50,in_use,10.%d.%d.%d,%s\n",
			i, i*7919, i, 600+i%50, i%5000, i%40, i%90, 1+i%12, 1+i%28, 1000+i%9000, i>>16&255, i>>8&255, i&255, d)
	}
	return b.Bytes()
}

func BenchmarkRows(b *testing.B) {
	for _, c := range []struct {
		name   string
		quoted bool
	}{{"plain", false}, {"quoted", true}} {
		b.Run(c.name, func(b *testing.B) {
			data := table(100_000, c.quoted)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for row, err := range (csv.Format{}).Rows(b.Context(), bytes.NewReader(data), nil) {
					if err != nil || row.Err != nil {
						b.Fatal(err, row)
					}
					n++
				}
				if n != 100_000 {
					b.Fatal(n)
				}
			}
		})
	}
}
