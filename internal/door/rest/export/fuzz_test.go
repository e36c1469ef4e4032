package export_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"headrace/internal/store/storetest/stores"
)

// FuzzExport: whatever stands behind an address, the answer is refused in the platform's words or is what its type says.
func FuzzExport(f *testing.F) {
	for _, s := range []string{"CSV", "XML&sysparm_query=u_state=1", "JSONv2&displayvalue=all&sysparm_action=getKeys", "JSON&sysparm_sys_id=x", "sysparm_view=ess&XML&useUnloadFormat=true",
		"CSV&sysparm_fields=u_of.u_text,,nix,sys_id&sysparm_orderby=u_state^NQ", "XML&sys_id=%00", "JSONv2&sysparm_query=u_textLIKE%ff^ORDERBYnix&sysparm_record_count=-1",
		"CSV&sysparm_fields=,&sysparm_default_export_fields=all&sysparm_export_column_header_label=true", "JSONv2&sysparm_query=javascript:gs.now()"} {
		f.Add(s)
	}
	w := world(f, stores.Open(f, stores.SQLite(f)))
	f.Fuzz(func(t *testing.T, query string) {
		path := "/u_note_list.do?" + query
		if at, err := url.ParseRequestURI(path); err != nil || at.Path != "/u_note_list.do" || strings.Contains(query, "#") {
			return
		}
		a := w.For(t).Call("guest", "GET "+path, nil)
		kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
		switch {
		case a.Status != 200 && a.Status != 400 && a.Status != 403:
			t.Fatalf("%q: %d %s", query, a.Status, a.Body)
		case kind == "application/json" && !json.Valid(a.Body):
			t.Fatalf("%q: %s", query, a.Body)
		case kind == "text/xml":
			in := xml.NewDecoder(strings.NewReader(string(a.Body)))
			for {
				if _, err := in.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%q: %v in %s", query, err, a.Body)
				}
			}
		}
	})
}
