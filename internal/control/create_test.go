package control

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"shardlift/internal/contract"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

func TestCreate_SameKeyIsTheSameTask(t *testing.T) {
	r := newRig(t)
	key, shop := uuid.NewString(), name()
	id, created, err := r.Create(t.Context(), r.file(shop), "alice", key)
	require.NoError(t, err)
	require.True(t, created)
	again, created, err := r.Create(t.Context(), r.file(shop), "alice", key)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, id, again)

	other := name()
	_, _, err = r.Create(t.Context(), r.file(other), "alice", key)
	require.ErrorIs(t, err, fault.KeyReused)
	_, err = r.Resolve(t.Context(), other)
	require.ErrorIs(t, err, fault.UnknownTask, "the refused request must not hold a name")

	_, _, err = r.Create(t.Context(), r.file(name()), "alice", "a key/with things")
	invalid, ok := errors.AsType[*Invalid](err)
	require.True(t, ok)
	require.Equal(t, "Idempotency-Key", invalid.Fields[0].Field)
}

func TestCreate_NamesAreUniqueWithoutRegardToCase(t *testing.T) {
	r := newRig(t)
	shop := name()
	id := r.create(shop)
	for _, taken := range []string{shop, strings.ToUpper(shop)} {
		_, _, err := r.Create(t.Context(), r.file(taken), "bob", "")
		require.ErrorIs(t, err, fault.NameTaken)
	}
	for _, given := range []string{shop, strings.ToUpper(shop), id} {
		found, err := r.Resolve(t.Context(), given)
		require.NoError(t, err)
		require.Equal(t, id, found)
	}
	for _, given := range []string{"", "nobody", strings.Repeat("x", 5000), "a/b", "name'; --"} {
		_, err := r.Resolve(t.Context(), given)
		require.ErrorIs(t, err, fault.UnknownTask, given)
	}
}

func TestCreate_InvalidFileNamesEveryField(t *testing.T) {
	r := newRig(t)
	f := r.file("1")
	f.Source.Host, f.Type = "", "half"
	_, _, err := r.Create(t.Context(), f, "alice", "")
	invalid, ok := errors.AsType[*Invalid](err)
	require.True(t, ok)
	var fields []string
	for _, e := range invalid.Fields {
		fields = append(fields, e.Field)
	}
	require.ElementsMatch(t, []string{"name", "type", "source.host"}, fields)

	id, err := newID("")
	require.NoError(t, err)
	f = r.file("a" + id[1:])
	require.ErrorContains(t, r.Validate(&f), "form of an id")
}

func TestCreate_NeedsTheWorkersKey(t *testing.T) {
	r := newRig(t)
	r.Workers = func() (secret.PublicKey, error) { return secret.PublicKey{}, errors.New("no file") }
	shop := name()
	_, _, err := r.Create(t.Context(), r.file(shop), "alice", "")
	require.ErrorIs(t, err, fault.KeysMissing)
	_, err = r.Resolve(t.Context(), shop)
	require.ErrorIs(t, err, fault.UnknownTask, "nothing is left behind")
}

// A crash between the two starts of Create leaves a name without a task.
func TestCreate_TakesOverAnAbandonedName(t *testing.T) {
	r := newRig(t)
	shop := name()
	dead, err := newID("")
	require.NoError(t, err)
	done, err := r.Service.hold(t.Context(), shop, dead)
	require.NoError(t, err)
	require.True(t, done)

	_, _, err = r.Create(t.Context(), r.file(shop), "bob", "")
	require.ErrorIs(t, err, fault.NameTaken, "its creation may still go on")
	require.ErrorContains(t, err, "being created")

	key := uuid.NewString()
	id, err := newID(key)
	require.NoError(t, err)
	require.NoError(t, r.reserve(t.Context(), shop, id, 0))
	created, _, err := r.Create(t.Context(), r.file(shop), "bob", key)
	require.NoError(t, err)
	require.Equal(t, id, created)
	found, err := r.Resolve(t.Context(), shop)
	require.NoError(t, err)
	require.Equal(t, id, found)
	require.ErrorIs(t, r.reserve(t.Context(), shop, dead, 0), fault.NameTaken, "a name with a task is never taken over")
}

func TestCreate_OneOfManyTakesAnAbandonedNameOver(t *testing.T) {
	r := newRig(t)
	// A race that lasts as long as a name needs to be abandoned says nothing.
	for age := time.Second; ; age *= 2 {
		began, winners := r.raceForAName(age)
		if time.Since(began) < age {
			require.Equal(t, 1, winners)
			return
		}
		require.Less(t, age, time.Minute, "no race was short enough")
	}
}

// raceForAName lets four tasks take over a name that was abandoned.
func (r *rig) raceForAName(age time.Duration) (began time.Time, winners int) {
	t := r.t
	t.Helper()
	shop := name()
	_, err := r.Service.hold(t.Context(), shop, "0123456789abcdef0123456789abcdef")
	require.NoError(t, err)
	<-time.After(age)
	began = time.Now()
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			id, err := newID("")
			if err == nil {
				err = r.reserve(t.Context(), shop, id, age)
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err == nil {
			winners++
		} else {
			require.ErrorIs(t, err, fault.NameTaken)
		}
	}
	return began, winners
}

var base64Text = regexp.MustCompile(`"data": *"([^"]*)"`)

// Nothing that Temporal keeps may tell a host, a user or a password.
func TestCreate_SealsHostUserAndPassword(t *testing.T) {
	r := newRig(t)
	shop := name()
	id := r.create(shop)
	for _, workflow := range []string{contract.MigrationID(id), contract.NameID(shop)} {
		text := r.everything(workflow)
		for _, payload := range base64Text.FindAllStringSubmatch(text, -1) {
			plain, err := base64.StdEncoding.DecodeString(payload[1])
			require.NoError(t, err)
			text += string(plain)
		}
		require.Contains(t, text, id)
		require.NotContains(t, text, "canary")
	}
	shown, err := r.Task(t.Context(), id)
	require.NoError(t, err)
	source, err := r.Shown(id, "source", shown.Memory.Source)
	require.NoError(t, err)
	require.Equal(t, canaryHost, source.Host)
	require.Equal(t, canaryUser, source.User)
}
