package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// where is what stands at which address.
type where struct {
	settings settings
	// temporal is the frontend's host:port, own or external.
	temporal, namespace string
	// ui is the URL of the Web UI; empty for an external server.
	ui string
}

// environment is what the children get on top of ours.
func (w where) environment() []string {
	env := append(os.Environ(),
		"SHARDLIFT_DATA="+w.settings.Data,
		"SHARDLIFT_LISTEN="+w.settings.Listen,
		"TEMPORAL_ADDRESS="+w.temporal,
		"TEMPORAL_NAMESPACE="+w.namespace,
	)
	if w.ui != "" {
		env = append(env, fmt.Sprintf("SHARDLIFT_TEMPORAL_UI=http://%s", loopbackPort(w.settings.UIPort)))
	}
	return env
}

// print writes the one block that says where everything is.
func (w where) print(out *lines) {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "  %-16s %s\n", what, fmt.Sprintf(format, args...))
	}
	b.WriteString("\nShardlift is ready\n")
	if !w.settings.OnlyTemporal {
		line("API and pages", "http://%s", browsable(w.settings.Listen))
		line("API token", "%s", tokenFile(w.settings.Data))
	}
	if w.ui != "" {
		line("Temporal Web UI", "%s", w.ui)
	}
	line("Temporal", "%s, namespace %s", w.temporal, w.namespace)
	line("data", "%s", w.settings.Data)
	if !w.settings.OnlyTemporal {
		line("next", "bin/shardlift init   (bin/shardlift --help lists every command)")
	}
	line("stop", "Ctrl-C")
	out.block(b.String() + "\n")
}

func tokenFile(data string) string {
	if f := os.Getenv("SHARDLIFT_TOKEN_FILE"); f != "" {
		return f
	}
	return filepath.Join(data, "token")
}

// browsable turns an address that binds everywhere into one to connect to.
func browsable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = loopback
	}
	return net.JoinHostPort(host, port)
}

// waitForWeb returns when web accepts connections. Web is restarted when it
// ends, so this waits as long as the user does and says so after a while.
func waitForWeb(ctx context.Context, listen string, out *lines) error {
	address := browsable(listen)
	dialer := net.Dialer{Timeout: time.Second}
	for {
		wait, cancel := context.WithTimeout(ctx, startTimeout)
		err := until(wait, "web at "+address, func() error {
			c, err := dialer.DialContext(wait, "tcp", address)
			if err != nil {
				return err
			}
			return c.Close()
		})
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		out.say("web does not answer at %s yet; what it says stands above", address)
	}
}
