package glide

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"headrace/internal/core/query"
)

// stringUtil is GlideStringUtil, whose functions are all static.
type stringUtil struct{}

var stringUtilClass = &class[stringUtil]{name: "GlideStringUtil", construct: func(*lib, arguments) *stringUtil { return &stringUtil{} }, static: withBytes(onText(map[string]func(string) any{
	"dotToUnderBar":            func(s string) any { return strings.ReplaceAll(s, ".", "_") },
	"escapeAllQuotes":          func(s string) any { return strings.NewReplacer(`'`, `\'`, `"`, `\"`).Replace(s) },
	"escapeTicks":              func(s string) any { return strings.ReplaceAll(s, `'`, `\'`) },
	"escapeForHomePage":        func(s string) any { return strings.NewReplacer(`'`, `\'`, "\r", "", "\n", `\n`).Replace(s) },
	"escapeHTML":               func(s string) any { return escapeHTML(s) },
	"unEscapeHTML":             func(s string) any { return html.UnescapeString(s) },
	"unescapeHTML":             func(s string) any { return html.UnescapeString(s) },
	"escapeNonPrintable":       func(s string) any { return strings.Map(printable, s) },
	"escapeQueryTermSeparator": func(s string) any { return strings.ReplaceAll(s, "^", "^^") },
	"getHTMLValue":             func(s string) any { return strings.NewReplacer("\r\n", "<br/>", "\n", "<br/>").Replace(escapeHTML(s)) },
	"getNumeric":               func(s string) any { return strings.Map(digit, s) },
	"isBase64":                 func(s string) any { return isBase64(s) },
	"isEligibleSysID":          func(s string) any { return sysID.MatchString(s) },
	"newLinesToBreaks":         func(s string) any { return strings.NewReplacer("\r\n", "<br/>", "\n", "<br/>").Replace(s) },
	"normalizeWhitespace":      func(s string) any { return strings.Join(strings.Fields(s), " ") },
	"urlEncode":                func(s string) any { return url.QueryEscape(s) },
	"urlDecode":                func(s string) any { return unescapeURL(s) },
	"nil":                      func(s string) any { return s == "" },
	"notNil":                   func(s string) any { return s != "" },
	"toLowerCase":              func(s string) any { return query.Fold(s) },
}))}

// withBytes adds the functions that know bytes which are no text: those of files.
func withBytes(all map[string]func(*lib, arguments) any) map[string]func(*lib, arguments) any {
	all["base64Encode"] = func(l *lib, a arguments) any { return base64.StdEncoding.EncodeToString(l.bytesOf(a.value(0))) }
	all["base64Decode"] = func(_ *lib, a arguments) any {
		b, err := decode64(a.text(0))
		if err != nil {
			return nil
		}
		return textOf(b)
	}
	all["base64DecodeAsBytes"] = func(l *lib, a arguments) any {
		b, err := decode64(a.text(0))
		if err != nil {
			return nil
		}
		return l.stream(b)
	}
	return all
}

// onText makes static functions of such over one text.
func onText(functions map[string]func(string) any) map[string]func(*lib, arguments) any {
	all := make(map[string]func(*lib, arguments) any, len(functions))
	for name, fn := range functions {
		all[name] = func(_ *lib, a arguments) any { return fn(a.text(0)) }
	}
	return all
}

var sysID = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
}

// escapeXML escapes a text for XML; in attributes quotes too.
func escapeXML(s string, attribute bool) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	if attribute {
		s = strings.NewReplacer(`"`, "&quot;", "'", "&apos;").Replace(s)
	}
	return s
}

func unescapeXML(s string) string { return html.UnescapeString(s) }

func printable(r rune) rune {
	if unicode.IsPrint(r) || r == '\n' || r == '\r' || r == '\t' {
		return r
	}
	return -1
}

func digit(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func isBase64(s string) bool {
	_, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	return err == nil && s != ""
}

func unescapeURL(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	return s
}
