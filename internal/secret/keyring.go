package secret

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// KeyRing holds private keys; the first one is current, older ones still open
// what was sealed with them.
type KeyRing struct{ keys []privateKey }

type privateKey struct {
	ID      string    `json:"id"`
	Private []byte    `json:"private"`
	Created time.Time `json:"created"`
}

type ringFile struct {
	Keys []privateKey `json:"keys"`
}

// OpenKeyRing reads the ring of a file, and makes it (mode 0600) with a first
// key when there is none. Processes that start at once agree on one ring. The
// public part is written beside it as <name>.pub.json.
func OpenKeyRing(path string) (*KeyRing, error) {
	ring, err := readRing(path)
	if errors.Is(err, fs.ErrNotExist) {
		ring, err = createRing(path)
	}
	if err != nil {
		return nil, err
	}
	return ring, ring.writePublic(PublicPath(path))
}

// NewKeyRing returns a ring with one fresh key, in memory only.
func NewKeyRing() (*KeyRing, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return &KeyRing{keys: []privateKey{key}}, nil
}

// Rotate puts a fresh key in front of the ring in the file; what older keys
// sealed still opens.
func Rotate(path string) (*KeyRing, error) {
	ring, err := readRing(path)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	ring.keys = append([]privateKey{key}, ring.keys...)
	if err := writeFile(path, ringFile{ring.keys}, 0o600); err != nil {
		return nil, err
	}
	return ring, ring.writePublic(PublicPath(path))
}

// Public returns the current public key.
func (r *KeyRing) Public() PublicKey {
	k := r.keys[0]
	private, err := kem().NewPrivateKey(k.Private)
	if err != nil {
		return PublicKey{ID: k.ID}
	}
	return PublicKey{ID: k.ID, Key: private.PublicKey().Bytes()}
}

// PublicPath is where the public part of a ring's file stands: keys.json has keys.pub.json.
func PublicPath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".pub.json"
}

// ReadPublicKey reads the public part of a ring.
func ReadPublicKey(path string) (PublicKey, error) {
	var key PublicKey
	data, err := os.ReadFile(path)
	if err != nil {
		return key, fmt.Errorf("read public key: %w", err)
	}
	if err := json.Unmarshal(data, &key); err != nil || key.ID == "" {
		return key, fmt.Errorf("read public key %s: not a public key file", path)
	}
	return key, nil
}

func (r *KeyRing) writePublic(path string) error {
	have, err := ReadPublicKey(path)
	if public := r.Public(); err != nil || have.ID != public.ID {
		return writeFile(path, public, 0o644)
	}
	return nil
}

func readRing(path string) (*KeyRing, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key ring: %w", err)
	}
	var file ringFile
	if err := json.Unmarshal(data, &file); err != nil || len(file.Keys) == 0 {
		return nil, fmt.Errorf("read key ring %s: not a key ring", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read key ring: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read key ring %s: mode is %o, others may read it; run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return &KeyRing{keys: file.Keys}, nil
}

// createRing writes a whole new file and links it into place, so that of two
// processes one wins and both read the winner's.
func createRing(path string) (*KeyRing, error) {
	ring, err := NewKeyRing()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make directory of key ring: %w", err)
	}
	temporary, err := writeTemporary(path, ringFile{ring.keys}, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := os.Link(temporary, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create key ring: %w", err)
	}
	return readRing(path)
}

func writeFile(path string, v any, mode fs.FileMode) error {
	temporary, err := writeTemporary(path, v, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func writeTemporary(path string, v any, mode fs.FileMode) (string, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func newKey() (privateKey, error) {
	private, err := kem().GenerateKey()
	if err != nil {
		return privateKey{}, fmt.Errorf("generate key: %w", err)
	}
	data, err := private.Bytes()
	if err != nil {
		return privateKey{}, fmt.Errorf("generate key: %w", err)
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return privateKey{}, fmt.Errorf("generate key id: %w", err)
	}
	return privateKey{ID: hex.EncodeToString(id), Private: data, Created: time.Now().UTC()}, nil
}
