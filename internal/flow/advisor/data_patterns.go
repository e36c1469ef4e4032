package advisor

import "strings"

// Pattern is one way of integrating.
type Pattern struct {
	ID    string
	Title string
	// Runs names the stores on which Headrace itself can run the pattern today; none means advised only.
	Runs []string
	// Note says what runs and what does not.
	Note string

	unsupported string // why Headrace will not run it; empty for a pattern that it may
	artefacts   []artefact
}

// artefact is a part to be made for a pattern. often marks the ones that only some integrations need.
type artefact struct {
	name  string
	often bool
	when  cond
}

func required(names ...string) []artefact { return artefacts(false, names) }

func often(names ...string) []artefact { return artefacts(true, names) }

func artefacts(often bool, names []string) []artefact {
	list := make([]artefact, len(names))
	for i, name := range names {
		list[i] = artefact{name: name, often: often}
	}
	return list
}

func join(lists ...[]artefact) []artefact {
	var all []artefact
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var (
	bothStores  = []string{"SQLite", "PostgreSQL"}
	onInterval  = []artefact{{name: "schedule", when: on("trigger=interval")}}
	notYet      = "advised; no part of Headrace runs it yet"
	importParts = []string{"data source", "import table", "transform map"}
)

// Stores are the stores that Headrace keeps its records in.
func Stores() []string { return bothStores }

var patterns = []Pattern{
	{ID: "P1", Title: "file data source", Runs: bothStores, Note: "a data source over a folder, a web server, SFTP or S3, and a scheduled import; or `headrace import FILE`",
		artefacts: join(required(importParts...), onInterval, required("connection and credential (unless uploaded)"), often("event registration", "script include"))},
	{ID: "P2", Title: "database data source", Runs: bothStores, Note: "a data source over PostgreSQL, MySQL, MariaDB, SQL Server or SQLite, with a watermark, and a scheduled import",
		artefacts: join(required(importParts...), onInterval, required("connection and credential"), often("script include"))},
	{ID: "P3", Title: "outbound REST, else SOAP call", Runs: bothStores, Note: "rule -> event -> script action -> script include -> REST or SOAP message -> import set; see examples/; on an interval a scheduled script starts it",
		artefacts: join(required("event registration", "business rule", "script action", "script include", "outbound message", "connection and credential"), often("import table", "transform map"))},
	{ID: "P4", Title: "API pull", Runs: bothStores, Note: "a data source over a paged service, or over another server of the Table API, and a scheduled import",
		artefacts: join(required(importParts...), onInterval, required("script include (paging)", "outbound message", "connection and credential"))},
	{ID: "P5", Title: "they push to us", Runs: bothStores, Note: "`headrace serve` takes records by the Table and Import Set APIs, and files; SOAP does not run yet",
		artefacts: join(required("import table", "transform map", "inbound API (import set)", "client identity"), often("script include"))},
	{ID: "P6", Title: "they read our REST, else SOAP API", Runs: bothStores, Note: "`headrace serve` answers the Table and Aggregate APIs, and exports; SOAP does not run yet",
		artefacts: join(required("inbound API", "client identity"), often("script include"))},
	{ID: "P7", Title: "email in", Note: notYet,
		artefacts: join(required("email action", "mailbox"), often("import table", "transform map", "event registration", "script include"))},
	{ID: "P8", Title: "SQL read (ODBC)", Note: notYet,
		artefacts: required("SQL access", "SQL token")},
	{ID: "P9", Title: "file that we export", Runs: bothStores, Note: "an export set and a scheduled export, to a folder, SFTP, S3 or a web server",
		artefacts: join(required("schedule", "export set", "connection and credential"), often("event registration", "script include"))},
	{ID: "P10", Title: "email to the app", Note: notYet,
		artefacts: join(required("event registration", "business rule", "notification", "SMTP account"), often("script include"))},
	{ID: "P11", Title: "writing into their database", Note: notYet, unsupported: "not supported: Headrace does not write into foreign databases; let them offer an API, a folder or a mailbox",
		artefacts: join(required("event registration", "business rule", "script action", "script include", "outbound message", "connection and credential (write)"), often("data source", "schedule"))},
	{ID: "P12", Title: "message stream", Note: notYet, unsupported: "not supported: Headrace neither reads nor writes message streams",
		artefacts: join(required(importParts...), required("event registration", "outbound message", "connection and credential"), often("business rule", "script action", "script include"))},
}

// candidate is a pattern in a row's ranking; it can be done when need holds.
type candidate struct {
	pattern string
	base    int
	title   string // what the pattern means in this row; may hold {cadence}
	need    cond
	cites   string // rules of the source behind this rank
	shown   cond   // when it is worth naming at all
}

// row is a row of the merged table. Several entries may share an id: the same row under other circumstances.
type row struct {
	id, like string // like: the row whose ranking it takes over
	when     cond
	short    string
	reason   string
	ranked   []candidate
}

var (
	byPush   = on("webservice=yes | push=yes")
	byWS     = on("webservice=yes")
	byDB     = on("database=yes")
	byFile   = on("file=yes")
	byAPI    = on("api=yes")
	byMail   = on("email=yes")
	byODBC   = on("odbc=yes")
	byImport = on("imports-files=yes")
	byStream = on("latency=seconds | consumers=many")
)

// stream names P12 where it would be considered, below everything else.
var stream = candidate{"P12", 0, "", nil, "D7", byStream}

var rows = []row{
	{"M1", "", on("initiator=us operation=read scope=full-set frequency=one-time | initiator=us operation=read scope=full-set frequency=recurring trigger=interval,action life=weeks"),
		"one-time load", "least to build and no standing dependency", []candidate{
			{"P1", 100, "", byFile, "X1", nil},
			{"P2", 80, "", byDB, "X1", nil},
			{"P4", 60, "", byAPI, "A5 D6", nil},
			{"P5", 40, "", byPush, "X8", nil},
			{"P7", 20, "email with attachment", byMail, "B4", nil},
			stream}},
	{"M2", "", on("initiator=us operation=read scope=full-set frequency=recurring trigger=interval,action life!=weeks changes!=modified-stamp,sequence,change-feed"),
		"full set", "full sets come best from their database, then from a prepared file, then pushed; web services page painfully", []candidate{
			{"P2", 100, "database data source, {cadence}", byDB, "X6", nil},
			{"P1", 80, "file data source, {cadence}", byFile, "X7", nil},
			{"P5", 60, "", byPush, "X8", nil},
			{"P4", 40, "paged API pull, {cadence}", byAPI, "A5", nil},
			{"P7", 20, "email with attachment", byMail, "B4", nil},
			stream}},
	{"M3", "", on("initiator=us operation=read scope=full-set frequency=recurring trigger=interval,action life!=weeks changes=modified-stamp,sequence,change-feed"),
		"changes only", "with a delta, paging is harmless", []candidate{
			{"P2", 100, "database data source with watermark column, {cadence}", byDB, "X6 H", nil},
			{"P4", 80, "API pull with since-filter, {cadence}", byAPI, "A5 H", nil},
			{"P1", 60, "file data source with delta files, {cadence}", byFile, "X7 H", nil},
			{"P5", 40, "", byPush, "X8", nil},
			{"P7", 20, "email with attachment", byMail, "B4", nil},
			stream}},
	{"M4", "", on("initiator=us operation=read scope=requested-record trigger!=task-closing"),
		"one requested record", "a requested record is what web services are for", []candidate{
			{"P3", 100, "", byAPI, "X5", nil},
			{"P2", 80, "single-row database query", byDB, "A3", nil},
			{"P1", 60, "wait for the next file", byFile, "A4", nil},
			{"P5", 40, "wait until they push", byPush, "X8", nil},
			stream}},
	{"M5", "", on("initiator=app operation=create records=one"),
		"they create one record here", "web services first, email last; else turn round and pull", []candidate{
			{"P5", 100, "they push to us by REST, else SOAP", byWS, "B5 B6 D1", nil},
			{"P7", 80, "", byMail, "B7 D1", nil},
			{"P4", 60, "turned round: API pull", byAPI, "D2", nil},
			{"P2", 40, "turned round: database data source", byDB, "D2", nil},
			{"P1", 20, "turned round: file that they drop", byFile, "D2", nil},
			stream}},
	{"M6", "", on("initiator=app operation=create records=many"),
		"they create many records here", "many rows: turn round when their database or a file is within reach, else bulk calls, email last", []candidate{
			{"P2", 100, "turned round: database data source", byDB, "B1 D2", nil},
			{"P1", 80, "turned round: file data source", byFile, "B2 D2", nil},
			{"P5", 60, "they push to us in bulk by REST, else SOAP", byWS, "B3 D1", nil},
			{"P7", 40, "email with attachment", byMail, "B4 D1", nil},
			{"P4", 20, "turned round: API pull", byAPI, "D2", nil},
			stream}},
	{"M7", "", on("initiator=app operation=read records=one"),
		"they read one record", "one record: REST, then SOAP, then SQL", []candidate{
			{"P6", 100, "", byWS, "A11", nil},
			{"P8", 80, "", byODBC, "A12", nil},
			{"P9", 60, "", byImport, "D4", nil},
			stream}},
	{"M8", "", on("initiator=app operation=read records=many volume!=50k-1m,over-1m"),
		"they read many records", "they read us: REST, SOAP, ODBC, a file that we write", []candidate{
			{"P6", 100, "", byWS, "B8 B9", nil},
			{"P8", 80, "", byODBC, "B10", nil},
			{"P9", 60, "", byImport, "D3", nil},
			stream}},
	{"M8", "", on("initiator=app operation=read records=many volume=50k-1m,over-1m"),
		"they read many records, above the volume line", "above 50,000 rows SQL and export files go before web services", []candidate{
			{"P8", 100, "", byODBC, "B10 D3", nil},
			{"P9", 80, "", byImport, "D3", nil},
			{"P6", 60, "", byWS, "B8 B9", nil},
			stream}},
	{"M9", "", on("initiator=us operation=create records=one trigger!=task-closing"),
		"we create one record there", "their API first; without one, what else takes data", []candidate{
			{"P3", 100, "", byAPI, "A1", nil},
			{"P10", 80, "", on("reads-mailbox=yes"), "D4", nil},
			{"P11", 60, "", on("accepts-database-writes=yes"), "D4", nil},
			{"P9", 40, "file that they import", byImport, "D4", nil},
			stream}},
	{"M10", "", on("initiator=us operation=create records=many trigger!=task-closing"),
		"we create many records there", "their API in batches first, then a file that they import", []candidate{
			{"P3", 100, "outbound REST, else SOAP calls in batches", byAPI, "A1", nil},
			{"P9", 80, "file that they import", byImport, "D4", nil},
			{"P11", 60, "", on("accepts-database-writes=yes"), "D4", nil},
			stream}},
	{id: "M11", like: "M4", when: on("initiator=us operation=read scope=requested-record trigger=task-closing"),
		short: "one requested record when a task closes", reason: "as M4, by event, after the commit"},
	{id: "M11", like: "M2", when: on("initiator=us operation=read scope=full-set trigger=task-closing changes!=modified-stamp,sequence,change-feed"),
		short: "full set when a task closes", reason: "as M2, by event, after the commit"},
	{id: "M11", like: "M3", when: on("initiator=us operation=read scope=full-set trigger=task-closing changes=modified-stamp,sequence,change-feed"),
		short: "changes only when a task closes", reason: "as M3, by event, after the commit"},
	{id: "M11", like: "M9", when: on("initiator=us operation=create records=one trigger=task-closing"),
		short: "we create one record there when a task closes", reason: "as M9, by event, after the commit"},
	{id: "M11", like: "M10", when: on("initiator=us operation=create records=many trigger=task-closing"),
		short: "we create many records there when a task closes", reason: "as M10, by event, after the commit"},
}

// nothing is the row of every set of answers that leaves no feasible pattern.
const nothing = "M12"

// effect is what an answer to a further question does to patterns: points, or out altogether.
type effect struct {
	id       string
	when     cond
	patterns []string
	points   int
	drop     bool
	text     string
}

var effects = []effect{
	{"V", on("volume=50k-1m,over-1m"), strings.Fields("P4 P6"), -30, false, "above 50,000 rows APIs are against the grain"},
	{"L", on("latency=seconds"), strings.Fields("P1 P2 P4 P7 P9 P10 P11"), -100, true, "does not arrive within seconds"},
	{"L", on("latency=minutes"), strings.Fields("P1 P2 P7 P9 P10 P11"), -100, true, "does not arrive within minutes"},
	{"U", on("user-waits=yes initiator=us"), strings.Fields("P1 P4 P5 P7 P9 P10"), -100, true, "cannot answer while a user waits"},
	{"U", on("user-waits=yes initiator=app"), strings.Fields("P1 P2 P4 P7 P9"), -100, true, "cannot answer while a user waits"},
	{"C", on("freshness=look-up initiator=us operation=read"), strings.Fields("P1 P4 P5 P7"), -100, true, "stores a copy, which is not allowed"},
	{"A", on("authority=both"), strings.Fields("P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11"), -100, true, "two masters of one field: settle who decides first"},
	{"D", on("deletes=absent"), strings.Fields("P3 P5 P7"), -20, false, "does not show what is absent"},
	{"D", on("deletes=event"), strings.Fields("P1 P2 P4 P7"), -20, false, "does not see delete events"},
	{"R", on("rate-window=exceeded"), strings.Fields("P3 P4"), -50, false, "their rate limits outlast the time window"},
	{"Z", on("zone=behind-firewall"), strings.Fields("P1 P2 P3 P4 P9"), -10, false, "needs a relay inside that dials out"},
	{"Z", on("zone=air-gap"), strings.Fields("P2 P3 P4 P5 P6 P7 P8 P10 P11"), -100, true, "no route across the air gap"},
	{"P", on("personal-data=personal,regulated"), strings.Fields("P7 P10"), -100, true, "personal data may not go by email"},
	{"Y", on("payload=binaries"), strings.Fields("P2 P7 P8 P10"), -30, false, "binaries do not belong in databases or emails"},
	{"M", on("consumers=many"), strings.Fields("P3 P6"), -30, false, "a call for each of many consumers; publish once"},
	{"N2", on("connector=api"), strings.Fields("P3 P4"), 25, false, "a connector exists"},
	{"N2", on("connector=database"), strings.Fields("P2"), 25, false, "a connector exists"},
	{"$", on("route-cost=per-call"), strings.Fields("P3 P4 P6"), -1, false, "costs by the call"},
	{"$", on("route-cost=per-driver"), strings.Fields("P2 P8"), -1, false, "costs a driver licence"},
}

// unknownPoints is what an unknown input costs a pattern that it could harm.
const unknownPoints = -15

// Note is advice that follows from an answer.
type Note struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
}

type advice struct {
	id   string
	when cond
	text string
}

var advices = []advice{
	{"V", on("volume=over-1m"), "load in chunks, off-peak, changes only where possible"},
	{"L", on("latency=minutes"), "use a short interval, or let them push"},
	{"U", on("user-waits=yes"), "call synchronously with a time-out of at most 10 seconds and a cached fallback"},
	{"U", on("user-waits=no"), "queue the call; nobody waits"},
	{"C", on("freshness=look-up"), "look up on demand, import nothing"},
	{"A", on("authority=us"), "we are the master: their copies are read-only"},
	{"A", on("authority=app"), "they are the master: make our copies read-only"},
	{"A", on("authority=split"), "write down the master of each field and make the other side read-only"},
	{"K", on("unique-key=none"), "keep a mapping table or a correlation id; never coalesce on names"},
	{"K", on("unique-key=composite"), "coalesce on all fields of the key together"},
	{"B", on("direction=both-ways"), "needs an origin marker, version compare, echo suppression and a loop test"},
	{"D", on("deletes=absent"), "reconcile full sets, with a guard that stops when too many vanish"},
	{"D", on("deletes=absent changes=modified-stamp,sequence,change-feed"), "changes alone never show absence: add a weekly full run"},
	{"D", on("deletes=never"), "deletes stay unseen: agree how old records are retired"},
	{"H", on("changes=none,hash"), "load the full set and compare a row hash"},
	{"H", on("changes=modified-stamp"), "overlap the windows by some minutes and allow for clock skew"},
	{"O", on("order=per-key"), "partition by key, one worker for each"},
	{"O", on("order=global"), "a single lane: one worker"},
	{"E", on("on-error=stop"), "stop at the first bad row; the rest waits"},
	{"E", on("on-error=skip-row"), "bad rows go to a reject list with the reason; stop at a rate"},
	{"E", on("on-error=retry"), "retry with back-off what may pass later; reject the rest with the reason"},
	{"E", on("on-error=human"), "bad rows wait in a list for a person"},
	{"I2", on("apply-twice=no"), "deliver at least once with an idempotency key"},
	{"R", on("rate-window=exceeded"), "read a database or a file instead, or run at night"},
	{"W", on("time-window=windows"), "give the schedule a calendar that survives the change of summer time"},
	{"W", on("time-window=freeze-periods"), "give the schedule a calendar with the freeze periods"},
	{"Z", on("zone=behind-firewall"), "let the inside party dial out; where we pull, put a relay inside"},
	{"Z", on("zone=air-gap"), "carry files on media, or through a diode"},
	{"Q", on("authentication=basic,none"), "put a gateway before it, IP lists, short-lived credentials"},
	{"P", on("personal-data=personal,regulated"), "fewest fields, masked and kept short in staging, encrypted; keep those fields out of email and SQL access"},
	{"Y", on("payload=binaries"), "attachments go to an object store or an API upload"},
	{"T2", on("transformation=complex"), "always through staging, for one record too"},
	{"M", on("consumers=many"), "publish once (a file or a stream), not one call for each"},
	{"G", on("contract=versioned"), "use versioned endpoints"},
	{"G", on("contract=changing"), "strict columns with an alarm on drift"},
	{"J", on("support=no-owner,no-test-system"), "keep it a draft until there is an owner and a test system"},
	{"N2", on("connector=api,database"), "use the ready connector before building"},
	{"X", on("life=weeks"), "short-lived: load files by hand, even again and again"},
	{"X4", on("trigger=task-closing"), "run by event after the commit; suppress rules for imports only, and only by a named flag"},
}

// unlock is what would open a way where there is none, cheapest first.
type unlock struct {
	id    string
	when  cond
	say   string
	steps []string
}

var unlocks = []unlock{
	{"A2", on("initiator=us operation=create"), "the app has no interface that accepts data", []string{
		"an import folder that it watches", "a mailbox that it reads", "a database account with write rights to a landing table",
		"the vendor's API module", "screen automation, outside Headrace, as the last resort"}},
	{"A6", on("initiator=us operation=read"), "nothing can be read from the app", []string{
		"a scheduled report, saved or mailed as CSV", "a read-only replica or view of its database", "a file export by its owner",
		"an API licence", "its owner pushes to us"}},
	{"A10", on("initiator=app operation=create"), "the app cannot send", []string{
		"we pull instead: database, file or API", "its report mailer", "a small program beside the app that posts files", "a trigger in its database"}},
	{"A13", on("initiator=app operation=read"), "the app cannot read us", []string{
		"an ODBC or JDBC driver on its host", "we write files or tables for it", "someone schedules an export"}},
	{"Z", on("zone=behind-firewall,air-gap"), "a capability may exist, but not the route", []string{
		"a relay in that zone that only dials out", "an allow-list", "a VPN or private link", "let the inside party dial"}},
	{"A", on("authority=both"), "two masters of one field", []string{"settle for each field who is the master"}},
}
