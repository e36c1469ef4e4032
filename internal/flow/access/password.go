package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"headrace/internal/core/fault"
)

// Passwords and client secrets are kept as argon2id hashes: 19 MiB, two passes, one lane. A hash is slow on purpose
// and takes that memory, so only a few are made at once.
const (
	hashMemory = 19 * 1024 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashBytes  = 32
	saltBytes  = 16
	atOnce     = 2
)

// mostPassword is the longest password, in bytes.
const mostPassword = 1024

const hashPrefix = "$argon2id$"

var encoding = base64.RawStdEncoding

// hash makes what is stored of a password.
func hash(password string) (string, error) {
	if password == "" || len(password) > mostPassword {
		return "", fault.New(fault.Invalid, "a password has between 1 and %d bytes", mostPassword)
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the system gives no random numbers")
	}
	proof, _ := stretch(password, salt, hashMemory, hashPasses, hashLanes)
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", hashPrefix, argon2.Version, hashMemory, hashPasses, hashLanes,
		encoding.EncodeToString(salt), encoding.EncodeToString(proof)), nil
}

// stretch makes two values of a password: the proof, which is stored, and a key, which is not, and which only somebody
// who knows the password has.
func stretch(password string, salt []byte, memory, passes uint32, lanes uint8) (proof, key []byte) {
	long := argon2.IDKey([]byte(password), salt, passes, memory, lanes, 2*hashBytes)
	return long[:hashBytes], long[hashBytes:]
}

var errNoHash = errors.New("no password hash")

// verify checks a password against what is stored and gives its key.
func verify(stored, password string) (key []byte, ok bool, err error) {
	var version int
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(strings.TrimPrefix(stored, hashPrefix), "$")
	if !strings.HasPrefix(stored, hashPrefix) || len(parts) != 4 {
		return nil, false, errNoHash
	}
	_, err = fmt.Sscanf(parts[0]+" "+parts[1], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes)
	salt, err2 := encoding.DecodeString(parts[2])
	want, err3 := encoding.DecodeString(parts[3])
	bad := memory > 64*hashMemory || passes > 64 || passes == 0 || lanes == 0
	if errors.Join(err, err2, err3) != nil || version != argon2.Version || len(want) != hashBytes || bad {
		return nil, false, errNoHash
	}
	proof, key := stretch(password, salt, memory, passes, lanes)
	return key, subtle.ConstantTimeCompare(proof, want) == 1, nil
}

// claim is a secret that somebody gives as that of an owner, whose is stored.
type claim struct {
	kind, name, secret string
	owner, stored      string
}

// check is verify behind the gate, remembering what is right. Who has waited for others with the same secret is told what
// they have found: a client that opens many connections at once costs one verification. Without a stored hash it takes as
// long, so that answers do not tell who exists.
func (s *Service) check(ctx context.Context, c claim) (key []byte, ok bool, err error) {
	password, stored := c.secret, c.stored
	if len(password) > mostPassword {
		password, stored = "", ""
	}
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return nil, false, fault.Wrap(fault.Canceled, ctx.Err(), "the caller gave up")
	}
	if e, known := s.known.find(c.kind, c.name, c.secret); known && stored != "" && e.owner == c.owner && e.stored == stored {
		return e.key, true, nil
	}
	key, ok, err = verify(stored, password)
	if err != nil {
		stretch(password, make([]byte, saltBytes), hashMemory, hashPasses, hashLanes)
		return nil, false, nil
	}
	if ok {
		s.known.keep(c.kind, c.name, c.secret, knownSecret{owner: c.owner, stored: stored, key: key})
	}
	return key, ok, nil
}

// remembered is how long a secret that was verified need not be verified again.
const remembered = time.Minute

// mostKnown bounds the secrets remembered.
const mostKnown = 10_000

// knownSecrets remembers verified credentials under their HMAC by a key that is random for the process. An entry
// counts only as long as what is stored is what it was verified against.
type knownSecrets struct {
	mu      sync.Mutex
	by      []byte
	entries map[[sha256.Size]byte]knownSecret
}

type knownSecret struct {
	owner  string // sys_id
	stored string
	key    []byte
	until  time.Time
}

func (k *knownSecrets) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.by = make([]byte, sha256.Size)
	if _, err := rand.Read(k.by); err != nil {
		panic(err) // the system has no randomness: nothing sensible can go on
	}
	k.entries = map[[sha256.Size]byte]knownSecret{}
}

func (k *knownSecrets) slot(kind, name, secret string) (at [sha256.Size]byte) {
	mac := hmac.New(sha256.New, k.by)
	fmt.Fprintf(mac, "%s\x00%d\x00%s\x00%s", kind, len(name), name, secret)
	mac.Sum(at[:0])
	return at
}

func (k *knownSecrets) find(kind, name, secret string) (knownSecret, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.entries[k.slot(kind, name, secret)]
	return e, ok && time.Now().Before(e.until)
}

func (k *knownSecrets) keep(kind, name, secret string, e knownSecret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.entries) >= mostKnown {
		clear(k.entries)
	}
	e.until = time.Now().Add(remembered)
	k.entries[k.slot(kind, name, secret)] = e
}

// randomText draws n bytes and writes them without signs that a URL or a shell minds.
func randomText(n int) (string, error) {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the system gives no random numbers")
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}
