package secret

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

func TestSealed_OpensOnlyForItsUse(t *testing.T) {
	ring, err := NewKeyRing()
	require.NoError(t, err)
	use := Use{Task: "t1", Field: "source"}
	sealed, err := ring.Public().SealJSON(use, map[string]string{"password": "canary"})
	require.NoError(t, err)

	var got map[string]string
	require.NoError(t, ring.OpenJSON(use, sealed, &got))
	require.Equal(t, "canary", got["password"])
	require.Error(t, ring.OpenJSON(Use{Task: "t2", Field: "source"}, sealed, &got))
	require.Error(t, ring.OpenJSON(Use{Task: "t1", Field: "destination"}, sealed, &got))

	other, err := NewKeyRing()
	require.NoError(t, err)
	require.ErrorIs(t, other.OpenJSON(use, sealed, &got), ErrUnknownKey)
	sealed.Data[len(sealed.Data)-1] ^= 1
	require.Error(t, ring.OpenJSON(use, sealed, &got))
}

func TestText_NeverPrints(t *testing.T) {
	secret := struct {
		Password Text `json:"password"`
	}{NewText("canary")}
	data, err := json.Marshal(secret)
	require.NoError(t, err)
	log := &capture{}
	logger := zerolog.New(log)
	logger.Info().Object("password", secret.Password).Interface("all", secret).Msg("x")
	for _, text := range []string{
		string(data), fmt.Sprint(secret), fmt.Sprintf("%v %+v %#v %s %q %x", secret, secret, secret, secret.Password, secret.Password, secret.Password), log.text,
	} {
		require.NotContains(t, text, "canary")
		require.NotContains(t, text, "63616e617279")
	}
	require.Equal(t, "canary", secret.Password.Reveal())
}

type capture struct{ text string }

func (c *capture) Write(p []byte) (int, error) { c.text += string(p); return len(p), nil }

func TestKeyRing_ProcessesThatStartAtOnceAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "keys.json")
	rings := make([]*KeyRing, 8)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			rings[i], errs[i] = OpenKeyRing(path)
		})
	}
	wg.Wait()
	again, err := OpenKeyRing(path)
	require.NoError(t, err)
	for i, r := range rings {
		require.NoError(t, errs[i])
		require.Equal(t, again.Public(), r.Public())
	}
	public, err := ReadPublicKey(PublicPath(path))
	require.NoError(t, err)
	require.Equal(t, again.Public(), public)
}

func TestKeyRing_RotationKeepsOldKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	old, err := OpenKeyRing(path)
	require.NoError(t, err)
	sealed, err := old.Public().Seal(Use{}, []byte("x"))
	require.NoError(t, err)
	fresh, err := Rotate(path)
	require.NoError(t, err)
	require.NotEqual(t, old.Public().ID, fresh.Public().ID)
	plain, err := fresh.Open(Use{}, sealed)
	require.NoError(t, err)
	require.Equal(t, "x", string(plain))
}

func TestKeyRing_RefusesAFileOthersMayRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	_, err := OpenKeyRing(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = OpenKeyRing(path)
	require.ErrorContains(t, err, "chmod 600")
}
