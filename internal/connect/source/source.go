// Package source is where data comes from. There are two kinds of sources: places where files lie, whose bytes a format
// turns into rows, and places that give rows themselves, such as a database. Each source is a folder below; it knows
// neither what the rows are for nor what was read before.
package source

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"headrace/internal/connect/format"
	"headrace/internal/core/record"
)

// Info describes a kind of source.
type Info struct {
	Name    string   // "sftp"
	Label   string   // "SFTP"
	Schemes []string // of the addresses that mean it: "sftp"
	Options []record.Field
	// Spool says of a place of rows that they are gathered before the first is used: a listing over many requests is whole
	// or nothing. Those of databases are used as they come.
	Spool bool
}

// Kind is one kind of source: how one of them is opened. Exactly one of Files and Rows is set. Opening checks the address
// and its options, which are faults of kind Invalid with a hint, and reaches for nothing: that is left to the first use.
type Kind struct {
	Info  Info
	Files func(a Address) (Files, error)
	Rows  func(a Address) (Rows, error)
}

// Address says which source is meant and who asks.
type Address struct {
	URL     *url.URL       // without a password: that is in Secret. A local path has no scheme
	Options format.Options // checked against Info.Options
	Secret  Secret
	Grant   Grant // nil when requests go without; of sources that speak HTTP
	// Through takes the place of the network, for tests; nil is the network. Of sources that speak HTTP.
	Through http.RoundTripper
	// Inside allows private and loopback addresses: an administrator wrote the address. Redirects never lead there from outside.
	Inside bool
}

// Secret is what proves who asks. Fields that a kind of source has no use for are left empty.
type Secret struct {
	User     string
	Password string // S3: the secret key
	Key      string // a private key in PEM form
	Phrase   string // of the private key
}

// Grant puts on a request what proves who asks. Again says that the last answer was 401, so that a token is refreshed.
type Grant func(r *http.Request, again bool) error

// File is one file at a place, as a listing showed it.
type File struct {
	Path     string    // at the place, with slashes
	Size     int64     // bytes, -1 when not known
	Modified time.Time // zero when not known
	Version  string    // changes when the content does: an ETag, an object's version; "" when the place has none
}

// Files is a place where files lie: a folder, an SFTP server, a bucket, one URL. Errors are faults: NotFound, Denied,
// Invalid, or Unavailable where trying again may help.
type Files interface {
	// List gives the files that the address means, in no order: its last part may be a pattern. Files that are plainly
	// unfinished (dot files, .tmp, .part, .partial, .filepart) are left out. A listing that is not complete is an error.
	List(ctx context.Context) ([]File, error)
	// Open reads a file from byte from on. It is a fault of kind Conflict when the file is not any more as it was listed.
	Open(ctx context.Context, f File, from int64) (io.ReadCloser, error)
	Close() error
}

// Mover is a place whose files can be put aside.
type Mover interface {
	// Move gives a file another path, making folders as needed. An older file of that path stays: the fault is of kind Conflict.
	Move(ctx context.Context, f File, path string) error
}

// Putter is a place where files can be left.
type Putter interface {
	// Put writes a file aside and then gives it its name, so that nobody sees half of it. When it returns without an
	// error the file is there with all its bytes. With replace, an older file of that name is taken over; without, it is
	// a fault of kind Conflict.
	Put(ctx context.Context, path string, r io.Reader, replace bool) error
}

// Rows is a place that gives rows: a table or query of a database, the records of a service. Errors are faults.
type Rows interface {
	// Read begins one reading of everything, or, when since is not empty, of the rows whose mark is not below since less
	// the overlap of the source's options. since is what High of an earlier reading gave.
	Read(ctx context.Context, since string) *Reading
	// Test tries out what Read needs, and says what is wrong: the name, the way, who asks, what is asked for.
	Test(ctx context.Context) error
	Close() error
}

// Reading is one reading of rows.
type Reading struct {
	// Rows yields the rows in a stable order where the source has one. A yielded error ends it: what came before is not all.
	Rows iter.Seq2[*format.Row, error]
	// High is the highest mark among the rows, or since when there was none higher; it holds once Rows has ended.
	// "" when the source keeps no mark.
	High func() string
	// Total is how many rows the source says it has, -1 when it does not; it holds once Rows has ended.
	Total func() int64
}
