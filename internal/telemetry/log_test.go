package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
)

// fields reads the one line of out, which must hold no key twice.
func fields(t *testing.T, out *bytes.Buffer) map[string]any {
	t.Helper()
	require.Equal(t, 1, strings.Count(out.String(), "\n"), out.String())
	require.Equal(t, 1, strings.Count(out.String(), `"time":`), out.String())
	var m map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &m))
	return m
}

func TestLogger_WritesJSONWithUTCMilliseconds(t *testing.T) {
	var out bytes.Buffer
	l := NewLogger(&out, "info", "")
	l.Debug().Msg("hidden")
	l.Info().Str("task_id", "t1").Msg("chunk copied")
	m := fields(t, &out)
	require.Equal(t, "chunk copied", m["message"])
	require.Equal(t, "t1", m["task_id"])
	at, err := time.Parse(timeFormat, m["time"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
}

func TestSlog_WritesThroughTheLogger(t *testing.T) {
	var out bytes.Buffer
	l := Slog(NewLogger(&out, "debug", "json"), "temporal", slog.LevelWarn)
	l.Info("hidden")
	l.With("queue", "copy").Warn("poll failed", "attempt", 3)
	m := fields(t, &out)
	require.Equal(t, "warn", m["level"])
	require.Equal(t, "temporal", m["component"])
	require.Equal(t, "copy", m["queue"])
	require.EqualValues(t, 3, m["attempt"])
}

func TestSlog_RespectsTheLoggersLevel(t *testing.T) {
	var out bytes.Buffer
	Slog(NewLogger(&out, "error", "json"), "go-mysql", slog.LevelDebug).Warn("hidden")
	require.Empty(t, out.String())
}

func TestLogger_ConsoleIsReadable(t *testing.T) {
	var out bytes.Buffer
	l := NewLogger(&out, "nonsense", "console")
	l.Info().Msg("worker started")
	require.Contains(t, out.String(), "INF worker started")
	require.NotContains(t, out.String(), "\x1b", "no colours beside a terminal")
}

// Every pause and stop cancels steps: that is no error in anybody's log.
func TestSlog_AStepThatWasToldToEndIsNoError(t *testing.T) {
	var out bytes.Buffer
	l := Slog(NewLogger(&out, "debug", "json"), "temporal", slog.LevelWarn)
	l.Error("Activity error.", "Attempt", 1, "Error", temporal.NewCanceledError())
	l.Error("Activity error.", "Error", fmt.Errorf("copy: %w", context.Canceled))
	l.Warn("RecordActivityHeartbeat with error", "Error", serviceerror.NewCanceled("context canceled"))
	require.Empty(t, out.String())
	l.Error("Activity error.", "Error", errors.New("disk full"))
	require.Equal(t, "Activity error.", fields(t, &out)["message"])
}
