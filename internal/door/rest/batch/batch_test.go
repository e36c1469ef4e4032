package batch_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/door/rest/batch"
	"headrace/internal/door/rest/resttest"
	"headrace/internal/door/rest/table"
	"headrace/internal/door/rest/wire"
	"headrace/internal/store/storetest/stores"
)

func TestMain(m *testing.M) { stores.Main(m) }

func world(t testing.TB, store record.Store) *resttest.World {
	notes := record.Table{Name: "u_note", Fields: []record.Field{{Name: "u_text", Type: record.String}}}
	large := wire.Route{Method: http.MethodGet, Pattern: "/api/now/large", OwnForm: true, Handler: func(*wire.Request) (*wire.Answer, error) {
		return &wire.Answer{ContentType: "text/plain", Stream: func(w io.Writer) error {
			for range 20 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
			return nil
		}}, nil
	}}
	return resttest.New(t, store, []record.Table{notes}, nil, func(d wire.Deps, inside http.Handler) []wire.Route {
		return append(append(batch.Routes(d, inside), large), table.Routes(d)...)
	})
}

type answered struct {
	ID       string `json:"batch_request_id"`
	Serviced []struct {
		ID       string              `json:"id"`
		Status   int                 `json:"status_code"`
		Text     string              `json:"status_text"`
		Body     string              `json:"body"`
		Headers  []map[string]string `json:"headers"`
		Time     *int                `json:"execution_time"`
		Error    string              `json:"error_message"`
		Redirect string              `json:"redirect_url"`
	} `json:"serviced_requests"`
	Unserviced []string `json:"unserviced_requests"`
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestItemsAreAnsweredInOrderAsIfAlone(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		items := []struct {
			item   string
			status int
			body   string // part of it
		}{
			{`"method":"POST","url":"/api/now/table/u_note","body":"` + base64Of(`{"u_text":"one"}`) + `","headers":[{"name":"Content-Type","value":"application/json"}]`, 201, `"u_text":"one"`},
			{`"method":"GET","url":"api/now/v2/table/u_note?sysparm_fields=u_text"`, 200, `[{"u_text":"one"}]`},
			{`"method":"GET","url":"/api/now/table/u_note","headers":[{"name":"Accept","value":"application/xml"}],"exclude_response_headers":true`, 200, `<u_text>one</u_text>`},
			{`"method":"GET","url":"/api/now/table/u_nix"`, 400, `Invalid table u_nix`},
			{`"method":"POST","url":"/api/now/batch","body":""`, 400, `batch`},
			{`"method":"POST","url":"/api/now/v1/batch/"`, 400, `batch`},
			{`"method":"TRACE","url":"/api/now/table/u_note"`, 400, `not supported`},
			{`"method":"GET","url":"https://elsewhere.example/api/now/table/u_note"`, 400, `not a path of this server`},
			{`"method":"POST","url":"/api/now/table/u_note","body":"!"`, 400, `base64`},
			{`"method":"GET","url":"/api/now/large"`, 500, `larger than`},
			{`"method":"GET","url":"/api/now/table/u_note","headers":[{"name":"Authorization","value":"Basic x"}]`, 200, `one`},
		}
		var list []string
		for i, it := range items {
			list = append(list, fmt.Sprintf(`{"id":%d,%s}`, i, it.item))
		}
		a := w.Call("admin", "POST /api/now/v1/batch", `{"batch_request_id":7,"rest_requests":[`+strings.Join(list, ",")+`]}`)
		var got answered
		a.JSON(t, &got)
		if a.Status != 200 || got.ID != "7" || len(got.Serviced) != len(items) || got.Unserviced == nil {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		for i, s := range got.Serviced {
			body, err := base64.StdEncoding.DecodeString(s.Body)
			if err != nil || s.ID != fmt.Sprint(i) || s.Status != items[i].status || s.Text != http.StatusText(s.Status) || s.Time == nil || !strings.Contains(string(body), items[i].body) {
				t.Errorf("%s: %+v %s %v", items[i].item, s, body, err)
			}
			if (s.Headers == nil) != (i == 2 || s.Error != "" && s.Status == 400) {
				t.Errorf("%s: headers %v", items[i].item, s.Headers)
			}
		}
	})
}

func TestItemsHaveTheRightsOfTheirCaller(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		body := `{"batch_request_id":"x","rest_requests":[{"id":"a","method":"POST","url":"/api/now/table/u_note","body":"` + base64Of(`{"u_text":"one"}`) + `"}]}`
		var got answered
		w.Call("guest", "POST /api/now/v1/batch", body).JSON(t, &got)
		if len(got.Serviced) != 1 || got.Serviced[0].Status != 403 || w.Count("u_note") != 0 {
			t.Errorf("%+v", got)
		}
		if a := w.Call("", "POST /api/now/v1/batch", body); a.Status != 401 {
			t.Errorf("nobody: %d", a.Status)
		}
	})
}

func TestAnUnreadableBatchIsRefused(t *testing.T) {
	resttest.Each(t, func(t *testing.T, store record.Store) {
		w := world(t, store)
		for _, body := range []string{"", "{", `{"batch_request_id":"x"}`, `{"rest_requests":{}}`, `{"rest_requests":[{"id":[1]}]}`} {
			if a := w.Call("admin", "POST /api/now/batch", body); a.Status != 400 || !json.Valid(a.Body) {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	})
}
