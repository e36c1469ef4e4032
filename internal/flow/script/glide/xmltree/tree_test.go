package xmltree_test

import (
	"context"
	"strings"
	"testing"

	"headrace/internal/core/fault"
	"headrace/internal/flow/script/glide/xmltree"
)

const order = `<?xml version="1.0"?><s:Envelope xmlns:s="urn:s"><s:Body id="b"><!-- two --><item n="1">first &amp; best</item><item n="2"><![CDATA[<raw>]]></item></s:Body></s:Envelope>`

func TestADocumentIsWrittenAsItWasRead(t *testing.T) {
	tree, err := xmltree.Parse(order)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.String(); got != order {
		t.Errorf("written:\n%s\nread:\n%s", got, order)
	}
}

func TestPathsFindNodesInOrder(t *testing.T) {
	tree, err := xmltree.Parse(order)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ path, want string }{
		{"//item", "first & best|<raw>"},
		{"//item[2]", "<raw>"},
		{"//item[@n='1']/text()", "first & best"},
		{"/s:Envelope/s:Body/item/@n", "1|2"},
		{"//*[local-name()='Body']/@id", "b"},
		{"/Envelope", ""},
		{"count(//item)", "2"},
		{"//item/preceding-sibling::item", "first & best"},
		{"string(//item[1]/@n)", "1"},
	}
	for _, c := range cases {
		found, err := tree.Find(t.Context(), c.path)
		var texts []string
		for _, n := range found {
			if n.Kind == xmltree.Text {
				texts = append(texts, n.Value)
			} else {
				texts = append(texts, n.Text())
			}
		}
		if got := strings.Join(texts, "|"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.path, got, err, c.want)
		}
	}
}

func TestWhatIsNoDocumentIsRefusedWithItsPlace(t *testing.T) {
	deep := strings.Repeat("<a>", xmltree.MaxDepth+1) + strings.Repeat("</a>", xmltree.MaxDepth+1)
	cases := []struct{ name, text, why string }{
		{"nothing", "  ", "no element"},
		{"open element", "<a><b></b>", "ends inside <a>"},
		{"crossed elements", "<a><b></a></b>", "</a> closes <b>"},
		{"two roots", "<a/><b/>", "behind the end"},
		{"text outside", "<a/>x", "text outside"},
		{"entity bomb", `<!DOCTYPE a [<!ENTITY x "xxxxxxxx">]><a>&x;</a>`, "entity"},
		{"too deep", deep, "deep"},
		{"no closing bracket", "<a", "line 1"},
	}
	for _, c := range cases {
		if _, err := xmltree.Parse(c.text); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v; want %q", c.name, err, c.why)
		}
	}
	if _, err := xmltree.Parse(strings.Repeat(" ", xmltree.MaxBytes+1)); fault.KindOf(err) != fault.Limit {
		t.Errorf("too large: %v", err)
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	tree, err := xmltree.Parse("<r>" + strings.Repeat("<a><b/></a>", 2000) + "</r>")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Find(ctx, "//*[count(//*[count(//*) > 1]) > 1]"); fault.KindOf(err) != fault.Limit {
		t.Errorf("a search without time: %v", err)
	}
	for _, path := range []string{"//*[", "nosuch()", strings.Repeat("/a", 3000)} {
		if _, err := tree.Find(t.Context(), path); err == nil {
			t.Errorf("path %.20s is taken", path)
		}
	}
}

func TestTreesAreBuilt(t *testing.T) {
	doc := &xmltree.Node{Kind: xmltree.Document}
	root := doc.Add(&xmltree.Node{Kind: xmltree.Element, Name: "a"})
	root.SetAttr("k", `"<`)
	root.SetAttr("k", `"&`)
	root.Add(&xmltree.Node{Kind: xmltree.Element, Name: "b"})
	root.Add(&xmltree.Node{Kind: xmltree.CDATA, Value: "x]]>y"})
	const want = `<?xml version="1.0" encoding="UTF-8"?><a k="&quot;&amp;"><b/><![CDATA[x]]]]><![CDATA[>y]]></a>`
	if got := doc.String(); got != want {
		t.Errorf("%s; want %s", got, want)
	}
	if v, ok := root.Attr("k"); !ok || v != `"&` {
		t.Errorf("attribute %q, %v", v, ok)
	}
	again, err := xmltree.Parse(want)
	if err != nil || again.Root().Text() != "x]]>y" {
		t.Errorf("read again: %v", err)
	}
}
