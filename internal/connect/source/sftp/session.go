package sftp

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// session is one login with its files. A server that falls silent is found out by asking it now and then, because a
// transfer may take any time, and so may a pause between two.
type session struct {
	*sftp.Client
	conn *heard
	ssh  *ssh.Client
	who  string        // for people
	over chan struct{} // closed when the connection has ended
	work sync.WaitGroup
	// broken says that it is of no use any more, which is known to those who used it before the end of it is.
	broken atomic.Bool
}

// heard counts what comes from the other side.
type heard struct {
	net.Conn
	n atomic.Int64
}

// Read makes heard a net.Conn.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.n.Add(int64(n))
	return n, err
}

// begin logs in and opens the file transfer; the deadline of the connection bounds it. After an error the connection is
// the caller's to close.
func begin(conn *heard, address string, config *ssh.ClientConfig, silence time.Duration) (*session, error) {
	c, channels, requests, err := ssh.NewClientConn(conn, address, config)
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(c, channels, requests)
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		if strings.Contains(err.Error(), "subsystem request failed") {
			err = fmt.Errorf("%w: %w", errNoSubsystem, err)
		}
		return nil, errors.Join(err, client.Close())
	}
	s := &session{Client: files, conn: conn, ssh: client, over: make(chan struct{})}
	s.work.Go(func() {
		_ = client.Wait() // why it ended is told to whoever waits for an answer
		close(s.over)
	})
	s.work.Go(func() { s.ask(silence / 2) })
	s.work.Go(func() { s.listen(silence) })
	return s, nil
}

// ask sends requests that mean nothing but have an answer. One that stays without ends with the connection.
func (s *session) ask(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-t.C:
			_, _, _ = s.ssh.SendRequest("keepalive@openssh.com", true, nil)
		}
	}
}

// listen ends a connection from which nothing came for a while.
func (s *session) listen(silence time.Duration) {
	t := time.NewTicker(silence)
	defer t.Stop()
	for last := s.conn.n.Load(); ; last = s.conn.n.Load() {
		select {
		case <-s.over:
			return
		case <-t.C:
			if s.conn.n.Load() == last {
				s.breakOff()
			}
		}
	}
}

func (s *session) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return s.broken.Load()
	}
}

// breakOff ends the connection under whoever uses it.
func (s *session) breakOff() { _ = s.conn.Close() }

// close ends the session and waits for what runs on its behalf.
func (s *session) close() {
	_ = s.Client.Close()
	_ = s.ssh.Close()
	s.work.Wait()
}
