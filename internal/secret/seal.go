package secret

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
)

// Sealed is a ciphertext with the id of the key that opens it. It may be
// stored and sent anywhere; printing it shows "[sealed]".
type Sealed struct {
	KeyID string `json:"key_id"`
	Data  []byte `json:"data"`
}

// IsZero says whether nothing was sealed.
func (s Sealed) IsZero() bool { return s.KeyID == "" }

// String prints "[sealed]".
func (s Sealed) String() string { return "[sealed]" }

// Format prints "[sealed]" under every verb.
func (s Sealed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[sealed]")) }

// MarshalZerologObject logs the key id only.
func (s Sealed) MarshalZerologObject(e *zerolog.Event) { e.Str("key_id", s.KeyID) }

// Use says what a sealed value is for; it is authenticated, not encrypted.
type Use struct {
	Task  string // task id, or the id of a request
	Field string // "source", "destination", "answer", …
}

func (u Use) info(keyID string) []byte {
	text, _ := json.Marshal([]string{"shardlift/1", u.Task, u.Field, keyID})
	return text
}

// PublicKey seals. JSON-stable: it travels to whoever has to seal for us.
type PublicKey struct {
	ID  string `json:"id"`
	Key []byte `json:"key"`
}

// Seal encrypts plain for the holder of the private key.
func (p PublicKey) Seal(use Use, plain []byte) (Sealed, error) {
	key, err := kem().NewPublicKey(p.Key)
	if err != nil {
		return Sealed{}, fmt.Errorf("read public key %s: %w", p.ID, err)
	}
	data, err := hpke.Seal(key, kdf(), aead(), use.info(p.ID), plain)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal %s: %w", use.Field, err)
	}
	return Sealed{KeyID: p.ID, Data: data}, nil
}

// SealJSON seals the JSON of v.
func (p PublicKey) SealJSON(use Use, v any) (Sealed, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return Sealed{}, fmt.Errorf("encode %s to seal it: %w", use.Field, err)
	}
	return p.Seal(use, plain)
}

// ErrUnknownKey means that the key ring lacks the key a value was sealed with.
var ErrUnknownKey = errors.New("key is not in the key ring")

// Open decrypts a value that was sealed for this ring and this use.
func (r *KeyRing) Open(use Use, s Sealed) ([]byte, error) {
	for _, k := range r.keys {
		if k.ID != s.KeyID {
			continue
		}
		private, err := kem().NewPrivateKey(k.Private)
		if err != nil {
			return nil, fmt.Errorf("read private key %s: %w", k.ID, err)
		}
		plain, err := hpke.Open(private, kdf(), aead(), use.info(s.KeyID), s.Data)
		if err != nil {
			return nil, fmt.Errorf("open sealed %s with key %s: it was sealed for another use or is damaged: %w", use.Field, s.KeyID, err)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("open sealed %s: key %s: %w", use.Field, s.KeyID, ErrUnknownKey)
}

// OpenJSON opens a value sealed by SealJSON into v.
func (r *KeyRing) OpenJSON(use Use, s Sealed, v any) error {
	plain, err := r.Open(use, s)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("decode sealed %s: not the expected form", use.Field)
	}
	return nil
}

// X25519 keeps a sealed value small: memos hold two of them, and Temporal warns
// beyond 2 KB.
func kem() hpke.KEM   { return hpke.DHKEM(ecdh.X25519()) }
func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }
