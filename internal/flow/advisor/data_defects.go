package advisor

// defects are the faults of the article's pictures and how the merged table mends them.
var defects = map[string]string{
	"D1": "being able to send email is no reason to prefer it: web services first, email last",
	"D2": "ODBC cannot create: turn round and pull, or take a file that they drop",
	"D3": "others reading a full set: SQL or an export file above the volume line",
	"D4": "no API is not no way: they may import files, read a mailbox or take database writes",
	"D5": "reach, volume, deletes and errors are asked for",
	"D6": "a one-time load still needs a file or a database; else their API",
	"D7": "files that we push and message streams are named",
}
