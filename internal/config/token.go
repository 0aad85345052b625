package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shardlift/internal/fault"
)

// MakeDataDirectory makes the directory, readable by its owner alone, if it is
// missing.
func MakeDataDirectory(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fault.DataDirectory.Wrap(err, path)
	}
	return nil
}

// OpenToken returns the API token of a file and makes it (256 random bits, mode
// 0600) when there is none. Processes that start at once agree on one token.
func OpenToken(path string) (string, error) {
	token, err := readToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	if err := MakeDataDirectory(filepath.Dir(path)); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".token-*") // mode 0600
	if err != nil {
		return "", fault.TokenFile.Wrap(err, path)
	}
	defer os.Remove(draft.Name())
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	_, err = fmt.Fprintln(draft, base64.RawURLEncoding.EncodeToString(raw))
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return "", fault.TokenFile.Wrap(err, path)
	}
	// A link never replaces: whoever comes second takes the first one's token.
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fault.TokenFile.Wrap(err, path)
	}
	return readToken(path)
}

// ReadToken returns the API token of a file that web has made.
func ReadToken(path string) (string, error) {
	token, err := readToken(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.TokenFile.Wrap(err, path)
	}
	return token, err
}

func readToken(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return "", fault.TokenFile.Wrap(err, path)
	}
	token := strings.TrimSpace(string(raw))
	if len(token) < 16 {
		return "", fault.TokenFile.New(path, "the token has fewer than 16 characters")
	}
	return token, nil
}
