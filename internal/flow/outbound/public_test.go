package outbound_test

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"headrace/internal/core/record"
	"headrace/internal/flow/outbound"
	"headrace/internal/store/storetest/stores"
)

// Descriptions and a SOAP server that others wrote, as they are on npm. scripts/deps fetches them.

func npm(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", ".testdata", "node_modules", filepath.FromSlash(file)))
	check(t, err)
	return path
}

func TestPublicDescriptionsImport(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: []")
	for file, functions := range map[string]string{"weather": "GetWeatherInformation GetCityForecastByZIP GetCityWeatherByZIP", "stockquote": "GetQuote"} {
		r, err := w.ImportWSDL(t.Context(), w.db.As(record.System), "", npm(t, "strong-soap/example/wsdls/"+file+".wsdl"))
		if err != nil {
			t.Fatalf("%v (scripts/deps fetches what is missing)", err)
		}
		if got := strings.Join(r.Made, " "); got != functions || len(r.Skipped) != 0 {
			t.Errorf("%s made %s, skipped %v", file, got, r.Skipped)
		}
	}
	quote := w.rows(t, outbound.SOAPFunctionTable, "function_name", "soap_action", "soap_endpoint", "envelope")
	for _, f := range quote {
		if f[0] == "GetQuote" && (f[1] != "http://www.webserviceX.NET/GetQuote" || f[2] == "" || !strings.Contains(f[3], ":symbol>${symbol}</")) {
			t.Errorf("function %v", f)
		}
	}
}

func TestLockedFunctionsAreKeptWhenADescriptionIsImportedAgain(t *testing.T) {
	w := open(t, stores.SQLite(t), "routes: []")
	session, file := w.db.As(record.System), npm(t, "strong-soap/example/wsdls/stockquote.wsdl")
	r, err := w.ImportWSDL(t.Context(), session, "Quote", file)
	check(t, err)
	table, err := w.db.Table(outbound.SOAPFunctionTable)
	check(t, err)
	id := w.rows(t, outbound.SOAPFunctionTable, record.SysID)[0][0]
	_, _, err = session.Update(t.Context(), table, id, []record.Assignment{{Field: "lock", Value: record.Text("true")}, {Field: "envelope", Value: record.Text("<mine/>")}})
	check(t, err)
	again, err := w.ImportWSDL(t.Context(), session, "Quote", file)
	check(t, err)
	if again.ID != r.ID || len(again.Kept) != 1 || w.rows(t, outbound.SOAPFunctionTable, "envelope")[0][0] != "<mine/>" {
		t.Errorf("import %+v", again)
	}
}

// soapServer serves a description with the library soap.
const soapServer = `
const soap = require('soap'), http = require('http'), fs = require('fs');
const server = http.createServer((q, r) => { r.statusCode = 404; r.end(); });
server.listen(0, '127.0.0.1', () => {
  soap.listen(server, { path: '/stockquote.asmx', xml: fs.readFileSync(process.argv[1], 'utf8'), services: { StockQuote: { StockQuoteSoap: { GetQuote: (args) => {
    if (args.symbol === 'NIX') throw { Fault: { faultcode: 'soap:Server', faultstring: 'no such symbol', statusCode: 500 } };
    return { GetQuoteResult: 'quote of ' + args.symbol };
  } } } } });
  console.log(server.address().port);
});
process.stdin.resume(); process.stdin.on('end', () => process.exit(0));
`

func TestSOAPServerOfOthersTakesOurEnvelopes(t *testing.T) {
	wsdl := npm(t, "strong-soap/example/wsdls/stockquote.wsdl")
	cmd := exec.Command("node", "-e", soapServer, wsdl)
	cmd.Env = append(cmd.Environ(), "NODE_PATH="+npm(t, ""))
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	check(t, cmd.Start())
	t.Cleanup(func() {
		check(t, in.Close())
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, complaints.String())
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	w := open(t, stores.SQLite(t), "routes: []")
	_, err = w.ImportWSDL(t.Context(), w.db.As(record.System), "Quote", wsdl)
	check(t, err)
	w.make(t, "sys_properties", "allowed", "name", outbound.AllowedProperty, "value", "127.0.0.1")
	for symbol, want := range map[string]string{"A & <B>": "quote of A &amp; &lt;B&gt;", "NIX": "no such symbol"} {
		r, err := w.Do(t.Context(), outbound.Request{SOAP: true, Message: "Quote", Function: "GetQuote", Endpoint: "http://127.0.0.1:" + strings.TrimSpace(port) + "/stockquote.asmx",
			Variables: map[string]outbound.Variable{"symbol": {Value: symbol}}})
		check(t, err)
		if !strings.Contains(string(r.Body), want) {
			t.Errorf("%q: HTTP %d %s", symbol, r.Status, r.Body)
		}
		if f := outbound.FaultOf(r.Body); (f != nil) != (symbol == "NIX") || f != nil && f.Text != "no such symbol" {
			t.Errorf("%q: fault %+v", symbol, f)
		}
	}
}
