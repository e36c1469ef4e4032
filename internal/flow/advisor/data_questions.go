package advisor

// Question is one thing that the decision flow may need to know.
type Question struct {
	ID      string   // the reference's letter, "db" or "V"
	Key     string   // the key in an answers file
	Ask     string   // the question in plain words
	Why     string   // why it is asked
	Values  []string // allowed values, without unknown; empty for a number
	Unknown bool     // whether "unknown" is an answer
	Whom    string   // who would know

	yes, no string   // the capability in words, present and absent
	better  []string // values worth negotiating for: tried when looking for flips
	lines   []line   // a number given instead of a value falls on one of these lines
	number  bool     // only a number is an answer, and only in a file
}

// line is the upper bound of a class of volume; rows stands for the class where only the class is known.
type line struct {
	below int
	rows  int
	value string
}

const (
	yes     = "yes"
	no      = "no"
	unknown = "unknown"
)

// capability makes a question on what the other system can do; all of them have the same answers.
func capability(id, key, ask, why, has, lacks, whom string) Question {
	return Question{ID: id, Key: key, Ask: ask, Why: why, Values: []string{yes, no}, Unknown: true, Whom: whom,
		yes: has, no: lacks, better: []string{yes}}
}

// soft makes one of the further questions, which move scores or add advice and may be left open.
func soft(id, key, ask, why, whom string, values ...string) Question {
	return Question{ID: id, Key: key, Ask: ask, Why: why, Values: values, Unknown: true, Whom: whom}
}

func (q Question) wish(values ...string) Question { q.better = values; return q }

func (q Question) withLines(lines ...line) Question { q.lines = lines; return q }

func amount(key, ask, why, whom string) Question {
	return Question{ID: "R", Key: key, Ask: ask, Why: why, Whom: whom, number: true}
}

// questions are all inputs in the order in which they are asked when several matter: the situation, what the
// other system can do (reordered by the row's ranking), then the rest.
var questions = []Question{
	{ID: "I", Key: "initiator", Ask: "Who starts the exchange: us, or the app?", Values: []string{"us", "app"},
		Why: "Pulling and being pushed to are different parts; both pictures begin here.", Whom: "whoever asked for the integration"},
	{ID: "O", Key: "operation", Ask: "Does the one who starts create (write to the other) or read (from the other)?", Values: []string{"create", "read"},
		Why: "Together with the initiator this says which way the data flows.", Whom: "whoever asked for the integration"},
	{ID: "N", Key: "records", Ask: "One record at a time, or many in one run?", Values: []string{"one", "many"},
		Why: "Many rows want a database or a file; one record wants a call.", Whom: "whoever asked for the integration"},
	{ID: "F", Key: "frequency", Ask: "Once, or again and again?", Values: []string{"one-time", "recurring"},
		Why: "A one-time load is easiest by file and needs no standing connection.", Whom: "whoever asked for the integration"},
	{ID: "T", Key: "trigger", Ask: "What starts a run: an interval, an action on a record here, or a task closing?", Values: []string{"interval", "action", "task-closing"},
		Why: "An interval needs a schedule; an action needs the chain event, script action, call.", Whom: "whoever asked for the integration"},
	{ID: "S", Key: "scope", Ask: "Is the data coming in a full set, or the one record that was asked for?", Values: []string{"full-set", "requested-record"},
		Why: "Full sets are painful through web services; a requested record is what they are for.", Whom: "whoever asked for the integration"},
	soft("H", "changes", "How does the app show what changed since last time?",
		"With a stamp, a sequence or a change feed only changes need to travel; without one, full sets with a row hash.",
		"the app's developer", "modified-stamp", "sequence", "change-feed", "hash", "none"),
	soft("X", "life", "How long will this integration live?",
		"For some weeks a file loaded by hand is cheaper than anything built.", "whoever asked for the integration", "weeks", "years"),

	capability("db", "database", "Can we read the app's database (a supported type, reachable, with read rights)?",
		"Read access to the database is the best source of a full set.", "read access to their database", "no database access", "the app's database administrator"),
	capability("file", "file", "Can the app export to a file that we can fetch?",
		"A prepared file is the next best source of a full set, and the easiest for a one-time load.", "a file export that we can fetch", "no file export", "the app's administrator"),
	capability("api", "api", "Does the app expose APIs (REST or SOAP)?",
		"Without an API we can neither call the app nor read it record by record.", "an API on their side", "no API", "the app's vendor"),
	capability("ws", "webservice", "Can the app call web services?",
		"If it can, it talks to our APIs directly.", "web service calls from their side", "no web service calls", "the app's developer"),
	capability("mail", "email", "Can the app send email?",
		"Email works almost everywhere, and is the last choice.", "email from their side", "no email", "the app's administrator"),
	capability("odbc", "odbc", "Can the app use an ODBC data source?",
		"ODBC reads us with plain SQL; it cannot write.", "an ODBC data source on their side", "no ODBC", "the app's administrator"),
	capability("push", "push", "Can the app's owner push data to us?",
		"When we can read neither database nor file, their pushing is the way left.", "data pushed by their owner", "nobody who pushes", "the app's owner"),
	capability("D4", "imports-files", "Can the app import files?",
		"A system without an API may still watch a folder.", "an import folder on their side", "no file import", "the app's administrator"),
	capability("D4", "reads-mailbox", "Does the app read a mailbox?",
		"A system without an API may still take email.", "a mailbox that they read", "no mailbox read", "the app's administrator"),
	capability("D4", "accepts-database-writes", "Does the app accept writes to its database?",
		"Named for completeness: writing into a foreign database is never done by default.", "a landing table in their database", "no database writes", "the app's database administrator").wish(),

	soft("L", "latency", "How soon must the data be across?",
		"Seconds leave only calls; hours allow anything.", "the people who use the data", "seconds", "minutes", "hours", "next-day").wish("hours"),
	soft("V", "volume", "How many rows travel per run, at the peak?",
		"Above 50,000 rows databases and files go before APIs.", "the app's database administrator", "under-1k", "1k-50k", "50k-1m", "over-1m").
		withLines(line{1_000, 1_000, "under-1k"}, line{50_001, 50_000, "1k-50k"}, line{1_000_001, 1_000_000, "50k-1m"}, line{0, 1_000_000, "over-1m"}),
	soft("Z", "zone", "How do the networks reach each other: public, one behind a firewall, or an air gap?",
		"A capability without a route is none.", "the network team", "public", "behind-firewall", "air-gap").wish("public"),
	soft("U", "user-waits", "Does a user wait for the answer?",
		"A waiting user needs a synchronous call with a time-out; else a queue is better.", "the people who use the data", yes, no).wish(no),
	soft("C", "freshness", "May the data be stored here, or must it be looked up so that it is current when seen?",
		"What may not be stored cannot be imported.", "the data's owner", "store", "look-up").wish("store"),
	soft("P", "personal-data", "Is the data personal or regulated?",
		"Such data may not go by email and not into SQL access.", "the data protection officer", "none", "personal", "regulated"),
	soft("R", "rate-window", "Do the app's rate limits let a run finish in its time window?",
		"Rows, page size and calls per minute give the time an API pull takes.", "the app's vendor", "fits", "exceeded").wish("fits"),
	soft("Y", "payload", "What travels: rows, documents, binaries?",
		"Binaries belong in an object store or an API upload, not in a database read or an email.", "the app's developer", "rows", "documents", "binaries"),
	soft("M", "consumers", "How many systems want this data?",
		"For many it is better to publish once than to make a call for each.", "the enterprise architect", "one", "few", "many"),
	soft("D", "deletes", "How are deletes shown?",
		"Absence can be seen only in full sets, delete events only when pushed.", "the app's developer", "flag", "absent", "event", "never"),
	soft("N2", "connector", "Is there a ready connector for that product, and what does it use?",
		"Use what exists before building.", "the vendor's catalogue", "none", "api", "database"),
	soft("$", "route-cost", "Does a route cost a licence: per call, or per driver?",
		"Decides between equals only.", "purchasing", "none", "per-call", "per-driver"),
	soft("A", "authority", "Who is the master of the data: us, the app, split by field, or both for the same field?",
		"Two masters of one field overwrite each other for ever.", "the data's owner", "us", "app", "split", "both").wish("split"),
	soft("K", "unique-key", "Is there a stable unique key on both sides?",
		"Matching needs a key.", "the app's developer", "single", "composite", "none"),
	soft("B", "direction", "One way, or both ways?",
		"Both ways need protection against echoes.", "whoever asked for the integration", "one-way", "both-ways"),
	soft("O", "order", "Does order matter: per key, over all, or not?",
		"Order limits how much can run side by side.", "the app's developer", "per-key", "global", "none"),
	soft("E", "on-error", "What shall happen to a bad row: stop, skip it, retry, or ask a human?",
		"Decides reject lists and retries.", "the people who use the data", "stop", "skip-row", "retry", "human"),
	soft("I2", "apply-twice", "May a message be applied twice?",
		"If not, each needs an idempotency key.", "the app's developer", yes, no),
	soft("W", "time-window", "Are there time windows or freeze periods?",
		"The schedule must know them.", "operations", "none", "windows", "freeze-periods"),
	soft("Q", "authentication", "Which authentication do they offer?",
		"Weak authentication needs protection around it.", "the security team", "oauth", "mtls", "api-key", "basic", "none"),
	soft("T2", "transformation", "Is the transformation simple or complex (look-ups, several targets)?",
		"Complex ones go through staging, for one record too.", "the integrator", "simple", "complex"),
	soft("G", "contract", "How stable is the contract: fixed, versioned, or changing without notice?",
		"Drift must be noticed before it does harm.", "the app's vendor", "fixed", "versioned", "changing"),
	soft("J", "support", "Is there an owner who supports the other side, and a test system?",
		"Without them nothing should go live.", "the app's owner", "owner-and-test-system", "no-test-system", "no-owner"),

	amount("page-size", "How many rows does one API call return?", "rows / page size = calls.", "the app's vendor"),
	amount("calls-per-minute", "How many API calls a minute are allowed?", "calls / calls per minute = minutes.", "the app's vendor"),
	amount("window-minutes", "How many minutes may a run take?", "A run that takes longer needs another way.", "operations"),
}

// fill supplies an answer that was not given. A fill with assume is a guess that the result tells.
type fill struct {
	when       cond
	key, value string
	assume     bool
}

var fills = []fill{
	{on("scope=full-set"), "records", "many", false},
	{on("scope=requested-record"), "records", "one", false},
	{on("volume=1k-50k,50k-1m,over-1m"), "records", "many", false},
	{on("freshness=look-up"), "records", "one", false},
	{on("user-waits=yes"), "records", "one", false},
	{on("initiator=us operation=read trigger=action,task-closing"), "records", "one", true},
	{on("operation=create"), "records", "one", true},
	{on("operation=read"), "records", "many", true},
	{on("initiator=us operation=read records=one"), "scope", "requested-record", false},
	{on("initiator=us operation=read records=many"), "scope", "full-set", false},
	{on("trigger=interval,action,task-closing"), "frequency", "recurring", false},
	{on("initiator=us"), "frequency", "recurring", true},
	{on("initiator=us frequency=recurring records=one"), "trigger", "action", true},
	{on("initiator=us frequency=recurring records=many"), "trigger", "interval", true},
}

// conflict is a pair of answers that cannot both be true.
type conflict struct {
	when   cond
	a, b   string // the keys to name
	reason string
	mend   string
}

var conflicts = []conflict{
	{on("initiator=app trigger=action,task-closing"), "initiator", "trigger",
		"a record event here cannot start what the app starts", "set initiator: us, or leave trigger out"},
	{on("initiator=app scope=requested-record"), "initiator", "scope",
		"a requested record is one that we ask for", "set initiator: us and operation: read, or leave scope out"},
	{on("initiator=us operation=create scope=requested-record"), "operation", "scope",
		"nothing comes in when we create", "set operation: read, or leave scope out"},
	{on("records=one scope=full-set"), "records", "scope",
		"a full set is many records", "set records: many, or scope: requested-record"},
	{on("records=many scope=requested-record"), "records", "scope",
		"the requested record is one", "set records: one, or scope: full-set"},
	{on("frequency=one-time trigger=interval,action,task-closing"), "frequency", "trigger",
		"a trigger starts recurring runs", "set frequency: recurring, or leave trigger out"},
	{on("user-waits=yes latency=hours,next-day"), "user-waits", "latency",
		"nobody waits that long at a screen", "set latency: seconds, or user-waits: no"},
	{on("user-waits=yes trigger=interval"), "user-waits", "trigger",
		"nobody waits for a schedule", "set trigger: action, or user-waits: no"},
	{on("user-waits=yes frequency=one-time"), "user-waits", "frequency",
		"nobody waits at a screen for a one-time load", "set frequency: recurring, or user-waits: no"},
	{on("user-waits=yes initiator=us operation=read scope=full-set"), "user-waits", "scope",
		"nobody waits at a screen for a full set", "set scope: requested-record, or user-waits: no"},
	{on("user-waits=yes initiator=us operation=read records=many"), "user-waits", "records",
		"nobody waits at a screen for many records", "set records: one, or user-waits: no"},
	{on("freshness=look-up scope=full-set"), "freshness", "scope",
		"a full set is stored here, not looked up", "set scope: requested-record, or freshness: store"},
	{on("freshness=look-up initiator=us operation=read records=many"), "freshness", "records",
		"a look-up fetches the record that is seen", "set records: one, or freshness: store"},
	{on("freshness=look-up trigger=interval"), "freshness", "trigger",
		"a look-up happens when someone looks, not at an interval", "set trigger: action, or freshness: store"},
	{on("freshness=look-up frequency=one-time"), "freshness", "frequency",
		"a one-time load is not current when seen later", "set frequency: recurring, or freshness: store"},
	{on("deletes=absent scope=requested-record"), "deletes", "scope",
		"absence shows only in a full set", "set scope: full-set, or deletes to flag, event or never"},
	{on("deletes=absent records=one"), "deletes", "records",
		"absence shows only in a full set", "set records: many, or deletes to flag, event or never"},
	{on("records=one volume=1k-50k,50k-1m,over-1m"), "records", "volume",
		"one record per run is one row", "set records: many, or leave volume out"},
}

// cadences name the rhythm of a pull in titles; the first that holds.
var cadences = []struct {
	when cond
	word string
}{
	{on("frequency=one-time"), "once"},
	{on("trigger=action"), "on the action here"},
	{on("trigger=task-closing"), "when the task closes"},
	{on("latency=minutes"), "every few minutes"},
	{on("latency=hours"), "hourly"},
	{on("latency=next-day"), "nightly"},
	{nil, "on a schedule"},
}
