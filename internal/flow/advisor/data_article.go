package advisor

// leaf is an end of the article's first picture; an empty pattern means "cannot integrate".
type leaf struct {
	id      string
	when    cond
	pattern string
	outcome string
}

// picture1 is the article's first picture to the letter, its defects included: app-created data is asked for email
// first (D1), and ODBC, which only reads, is to create (A9, D2).
var picture1 = []leaf{
	{"A1", on("initiator=us operation=create api=yes"), "P3", "outbound web services"},
	{"A2", on("initiator=us operation=create api=no,unknown"), "", cannot},
	{"A3", on("initiator=us operation=read database=yes"), "P2", "JDBC data source"},
	{"A4", on("initiator=us operation=read database=no,unknown file=yes"), "P1", "file data source"},
	{"A5", on("initiator=us operation=read database=no,unknown file=no,unknown api=yes"), "P4", "outbound web services"},
	{"A6", on("initiator=us operation=read database=no,unknown file=no,unknown api=no,unknown"), "", cannot},
	{"A7", on("initiator=app operation=create email=yes"), "P7", "inbound email actions"},
	{"A8", on("initiator=app operation=create email=no,unknown webservice=yes"), "P5", "standard APIs of ours"},
	{"A9", on("initiator=app operation=create email=no,unknown webservice=no,unknown odbc=yes"), "P8", "ODBC connector"},
	{"A10", on("initiator=app operation=create email=no,unknown webservice=no,unknown odbc=no,unknown"), "", cannot},
	{"A11", on("initiator=app operation=read webservice=yes"), "P6", "standard APIs of ours"},
	{"A12", on("initiator=app operation=read webservice=no,unknown odbc=yes"), "P8", "ODBC connector"},
	{"A13", on("initiator=app operation=read webservice=no,unknown odbc=no,unknown"), "", cannot},
}

const cannot = "cannot integrate"

// cell is a preference of the article's second picture.
type cell struct {
	id      string
	when    cond
	place   string // the box and the rank in it
	pattern string
	way     string
	given   cond // answers that lead here and leave no other way
}

const (
	creatingMany = "initiator=us operation=read records=many | initiator=app operation=create records=many"
	creatingOne  = "initiator=us operation=read records=one | initiator=app operation=create records=one"
	readingMany  = "initiator=app operation=read records=many"
)

// picture2 is the article's second picture to the letter: creating is data arriving here, reading is others reading
// us; nothing stands there for reading one record.
var picture2 = []cell{
	{"B1", on(creatingMany), "creating many, 1st", "P2", "database connection", on("initiator=us operation=read records=many database=yes")},
	{"B2", on(creatingMany), "creating many, 2nd", "P1", "file export", on("initiator=us operation=read records=many database=no file=yes")},
	{"B3", on(creatingMany), "creating many, 3rd", "P5", "web services", on("initiator=app operation=create records=many database=no file=no webservice=yes")},
	{"B4", on(creatingMany), "creating many, 4th", "P7", "email", on("initiator=app operation=create records=many database=no file=no webservice=no email=yes")},
	{"B5", on(creatingOne), "creating one, 1st", "P5", "REST", on("initiator=app operation=create records=one webservice=yes")},
	{"B6", on(creatingOne), "creating one, 2nd", "P5", "SOAP", on("initiator=app operation=create records=one webservice=yes")},
	{"B7", on(creatingOne), "creating one, 3rd", "P7", "email", on("initiator=app operation=create records=one webservice=no email=yes")},
	{"B8", on(readingMany), "reading many, 1st", "P6", "REST", on("initiator=app operation=read records=many webservice=yes")},
	{"B9", on(readingMany), "reading many, 2nd", "P6", "SOAP", on("initiator=app operation=read records=many webservice=yes")},
	{"B10", on(readingMany), "reading many, 3rd", "P8", "ODBC driver", on("initiator=app operation=read records=many webservice=no odbc=yes")},
}

// textRule is what the article says beside its pictures.
type textRule struct {
	id        string
	when      cond
	situation string
	text      string
	artefacts []artefact
	given     cond // answers that show the rule at work
}

var textRules = []textRule{
	{"X1", on("initiator=us operation=read frequency=one-time"), "one-time", "a file import is nearly always easiest; a database connection sometimes better, for the same work",
		nil, on("initiator=us operation=read records=many frequency=one-time file=yes")},
	{"X2", on("initiator=us frequency=recurring trigger=interval"), "recurring, at an interval", "a scheduled job at that interval",
		nil, on("initiator=us operation=read records=many frequency=recurring trigger=interval changes=modified-stamp database=yes")},
	{"X3", on("initiator=us frequency=recurring trigger=action"), "recurring, on an action here", "the business rule fires an event; a script action calls through a script include",
		required("event registration", "business rule", "script action", "script include"),
		on("initiator=us operation=create records=one frequency=recurring trigger=action api=yes")},
	{"X4", on("initiator=us frequency=recurring trigger=task-closing"), "when a task closes in a given state", "switch rules off for the change, or better trigger the event of X3",
		required("event registration", "business rule", "script action", "script include"),
		on("initiator=us operation=create records=one frequency=recurring trigger=task-closing api=yes")},
	{"X5", on("initiator=us operation=read scope=requested-record"), "a requested record comes in", "call outbound; run the answer through an import table and transform map",
		nil, on("initiator=us operation=read records=one frequency=recurring trigger=action scope=requested-record api=yes")},
	{"X6", on("initiator=us operation=read scope=full-set"), "a full set comes in", "not by web service; best is read access to their database",
		nil, on("initiator=us operation=read records=many frequency=recurring trigger=interval scope=full-set database=yes api=yes")},
	{"X7", on("initiator=us operation=read scope=full-set database=no,unknown"), "X6 impossible", "one prepared file, hosted where we can read it",
		nil, on("initiator=us operation=read records=many frequency=recurring trigger=interval scope=full-set database=no file=yes api=yes")},
	{"X8", on("initiator=us operation=read scope=full-set database=no,unknown file=no,unknown"), "X7 impossible", "see whether they can push to us",
		nil, on("initiator=us operation=read records=many frequency=recurring trigger=interval scope=full-set database=no file=no push=yes")},
}
