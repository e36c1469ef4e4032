// Package vault keeps secrets that must be read again: passwords and tokens for other systems, and every other field of
// type password2. They are sealed with AES-256-GCM by a key that lies beside the data, not in it: a copy of the database
// alone tells nothing.
//
//	v := vault.InFile(filepath.Join(data, vault.FileName)) // the key is made when the first secret is sealed
//	v, err := vault.FromText(os.Getenv(vault.Variable))    // or given: 32 bytes, as hex or base64
//
//	sealed, err := v.Seal("pa55word")
//	plain, err := v.Open(sealed)
//
// The composition root makes one Vault and gives it to record.Config as its Sealer, so that fields of type
// record.Secret are sealed on their way into the store, whoever writes them. Who needs a secret reads the record by a
// trusted session and opens the field:
//
//	password, err := v.Open(r.Get("password").Text)
//
// What was never sealed opens as it is, so that data from before can be read. Passwords of users are not here: they are
// only compared, and kept as hashes.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"headrace/internal/core/fault"
)

const (
	// FileName is the name of the file with the key, in the data folder.
	FileName = "secret.key"
	// Variable names the environment variable that gives the key instead.
	Variable = "HEADRACE_SECRET_KEY"
)

const (
	keyBytes = 32
	prefix   = "sealed:1:"
	idDigits = 8 // of the key's name, so that a wrong key can be told from damage
)

// Vault seals and opens secrets. It is safe for use by many goroutines.
type Vault struct {
	mu   sync.Mutex
	path string // of the key, when it is in a file
	key  *key   // nil until it is needed
}

type key struct {
	name string
	aead cipher.AEAD
}

// InFile gives a Vault whose key is in a file, which is made when the first secret is sealed. Without a path there is no
// key, and every secret is refused.
func InFile(path string) *Vault { return &Vault{path: path} }

// FromText gives a Vault with a key written as 64 hex digits or as base64 of 32 bytes.
func FromText(text string) (*Vault, error) {
	k, err := parseKey(text)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no key", Variable).WithHint("it is 32 random bytes, as hex or base64: openssl rand -hex 32")
	}
	return &Vault{key: k}, nil
}

func parseKey(text string) (*key, error) {
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(raw) != keyBytes {
		return nil, errors.New("a key has 32 bytes, written as hex or base64")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	name := sha256.Sum256(raw)
	return &key{name: hex.EncodeToString(name[:])[:idDigits], aead: aead}, nil
}

// Seal makes what is stored of a secret. The empty text, and what this vault has sealed already, stay as they are.
func (v *Vault) Seal(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	k, err := v.use(true)
	if err != nil {
		return "", err
	}
	if _, err := k.open(text); err == nil {
		return text, nil
	}
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(text)+k.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "the system gives no random numbers")
	}
	return prefix + k.name + ":" + base64.RawStdEncoding.EncodeToString(k.aead.Seal(nonce, nonce, []byte(text), nil)), nil
}

// Open gives a secret back. What was never sealed is given as it is; a fault of kind Unavailable when the key is
// another, or gone.
func (v *Vault) Open(sealed string) (string, error) {
	if !strings.HasPrefix(sealed, prefix) {
		return sealed, nil
	}
	k, err := v.use(false)
	if err != nil {
		return "", err
	}
	text, err := k.open(sealed)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, err, "a secret cannot be opened: %v", err).
			WithHint("put back the %s that it was sealed with, or give that key in %s; else set the secret anew", FileName, Variable)
	}
	return text, nil
}

func (k *key) open(sealed string) (string, error) {
	name, body, found := strings.Cut(strings.TrimPrefix(sealed, prefix), ":")
	if !found || !strings.HasPrefix(sealed, prefix) {
		return "", errors.New("it is not sealed")
	}
	if name != k.name {
		return "", errors.New("it was sealed with another key")
	}
	raw, err := base64.RawStdEncoding.DecodeString(body)
	if err != nil || len(raw) < k.aead.NonceSize() {
		return "", errors.New("it is damaged")
	}
	text, err := k.aead.Open(nil, raw[:k.aead.NonceSize()], raw[k.aead.NonceSize():], nil)
	if err != nil {
		return "", errors.New("it is damaged")
	}
	return string(text), nil
}

// use gives the key, from its file when it is not known yet; a missing file is made when that is wanted.
func (v *Vault) use(create bool) (*key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.key != nil {
		return v.key, nil
	}
	if v.path == "" {
		return nil, fault.New(fault.Unavailable, "there is no key for secrets").WithHint("give every node the same one in %s: openssl rand -hex 32", Variable)
	}
	text, err := os.ReadFile(v.path)
	if errors.Is(err, os.ErrNotExist) && create {
		text, err = makeFile(v.path)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the key of the secrets cannot be read: %v", err).
			WithHint("put %s back, or give the key in %s", v.path, Variable)
	}
	if v.key, err = parseKey(string(text)); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "%s holds no key", v.path).WithHint("put the right one back; a new one cannot open what the old one sealed")
	}
	return v.key, nil
}

// makeFile writes a new key. Of several processes that do so at once one wins, and all read its key: the file appears
// whole, under a name that must not be taken.
func makeFile(path string) ([]byte, error) {
	raw := make([]byte, keyBytes)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), FileName+".*") // with mode 0600
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(hex.EncodeToString(raw) + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Link(f.Name(), path); errors.Is(err, os.ErrExist) {
			err = nil
		}
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
