// Package tds is a double of SQL Server for tests: it speaks the protocol TDS 7.4 as far as readers need it, and has SQLite
// answer the queries. It shows that the protocol is used rightly, not that SQL Server likes what it is asked.
package tds

import (
	"bufio"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf16"

	_ "github.com/mattn/go-sqlite3" // answers the queries
)

// Server is a running double.
type Server struct {
	Addr     string  // host:port
	DB       *sql.DB // what is in it. A column that SQLite is not to convert is declared as TEXT and then its type: TEXT decimal(9,2)
	User     string
	Password string
	Database string
	Hidden   string // a table that nobody may read
	Asked    func(query string)

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	all    sync.WaitGroup
}

// Start starts a double for the time of the test. It lets one user into one database.
func Start(t testing.TB, user, password, database string) *Server {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "double.db")+"?_journal_mode=WAL&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), DB: db, User: user, Password: password, Database: database, conns: map[net.Conn]bool{}}
	s.all.Add(1)
	go s.serve(l)
	t.Cleanup(func() {
		l.Close()
		s.shut()
		s.all.Wait()
		db.Close()
	})
	return s
}

func (s *Server) serve(l net.Listener) {
	defer s.all.Done()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && s.keep(c) {
			s.all.Add(1)
			go s.talk(c)
		}
	}
}

func (s *Server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
}

// Open is how many connections there are.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Types of messages.
const (
	batch       = 1
	reply       = 4
	attention   = 6
	transaction = 14
	login       = 16
	prelogin    = 18
)

type message struct {
	kind byte
	body []byte
}

// conn is one connection. A reader of its own takes in what the client says, so that it can interrupt an answer.
type conn struct {
	*Server
	net         net.Conn
	interrupted atomic.Bool
	out         *packets
}

func (s *Server) talk(c net.Conn) {
	defer s.all.Done()
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	k := &conn{Server: s, net: c, out: &packets{w: c}}
	said := make(chan message, 16)
	s.all.Add(1)
	go func() {
		defer s.all.Done()
		defer close(said)
		k.listen(said)
	}()
	for m := range said {
		if k.answer(m) != nil || k.out.flush(true) != nil {
			c.Close()
		}
	}
}

func (k *conn) listen(said chan<- message) {
	r := bufio.NewReader(k.net)
	var m message
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		body := make([]byte, max(0, int(binary.BigEndian.Uint16(head[2:]))-len(head)))
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		m.kind, m.body = head[0], append(m.body, body...)
		if head[1]&1 == 0 {
			continue
		}
		if m.kind == attention {
			k.interrupted.Store(true)
		}
		said <- m
		m = message{}
	}
}

func (k *conn) answer(m message) error {
	switch m.kind {
	case prelogin:
		// Two options and the end of the list: a version, and no encryption.
		return k.out.put(0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2)
	case login:
		return k.login(m.body)
	case transaction:
		if err := k.out.put(0xe3, 11, 0, 8, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0); err != nil {
			return err
		}
		return k.done(0, 0)
	case attention:
		k.interrupted.Store(false)
		return k.done(0x20, 0)
	case batch:
		headers := int(binary.LittleEndian.Uint32(m.body))
		return k.query(decode(m.body[min(headers, len(m.body)):]))
	}
	return k.fail(102, 15, "the double does not know this message")
}

func (k *conn) login(b []byte) error {
	field := func(at int) []byte {
		from, chars := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint16(b[at+2:]))
		return b[from : from+2*chars]
	}
	hidden := field(44)
	for i, c := range hidden {
		c ^= 0xa5
		hidden[i] = c<<4 | c>>4
	}
	user, database := decode(field(40)), decode(field(68))
	if user != k.User || decode(hidden) != k.Password {
		return k.fail(18456, 14, "Login failed for user '"+user+"'.")
	}
	if database != "" && database != k.Database {
		return k.fail(4060, 11, `Cannot open database "`+database+`" requested by the login. The login failed.`)
	}
	name := encode("double")
	ack := append([]byte{1, 0x74, 0, 0, 4, 6}, name...)
	ack = append(ack, 16, 0, 0, 0)
	if err := k.out.put(append([]byte{0xad, byte(len(ack)), 0}, ack...)...); err != nil {
		return err
	}
	return k.done(0, 0)
}

func (k *conn) done(status uint16, rows uint64) error {
	b := binary.LittleEndian.AppendUint16([]byte{0xfd}, status)
	b = binary.LittleEndian.AppendUint16(b, 0xc1)
	return k.out.put(binary.LittleEndian.AppendUint64(b, rows)...)
}

// fail sends an error and the end of the answer.
func (k *conn) fail(number uint32, class byte, text string) error {
	b := binary.LittleEndian.AppendUint32(nil, number)
	b = append(b, 1, class)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(utf16.Encode([]rune(text)))))
	b = append(append(b, encode(text)...), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, 1)
	if err := k.out.put(append(binary.LittleEndian.AppendUint16([]byte{0xaa}, uint16(len(b))), b...)...); err != nil {
		return err
	}
	return k.done(2, 0)
}

func decode(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func encode(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// packets cuts an answer into packets.
type packets struct {
	w    io.Writer
	body []byte
	n    byte
}

const packetSize = 4096

func (p *packets) put(b ...byte) error {
	p.body = append(p.body, b...)
	for len(p.body) > packetSize-8 {
		if err := p.send(p.body[:packetSize-8], false); err != nil {
			return err
		}
		p.body = append(p.body[:0], p.body[packetSize-8:]...)
	}
	return nil
}

func (p *packets) flush(last bool) error {
	if len(p.body) == 0 {
		return nil
	}
	err := p.send(p.body, last)
	p.body = p.body[:0]
	return err
}

func (p *packets) send(b []byte, last bool) error {
	p.n++
	head := []byte{reply, 0, 0, 0, 0, 0, p.n, 0}
	if last {
		head[1] = 1
	}
	binary.BigEndian.PutUint16(head[2:], uint16(len(b)+len(head)))
	_, err := p.w.Write(append(head, b...))
	return err
}
