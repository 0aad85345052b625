package config

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"shardlift/internal/fault"
)

// checkReach refuses plain HTTP beyond loopback.
func (w Web) checkReach() error {
	if (w.TLSCert == "") != (w.TLSKey == "") {
		return fault.InvalidSetting.New("--tls-cert and --tls-key", "one stands without the other")
	}
	if w.TLSCert != "" || w.BehindProxy || IsLoopback(w.Listen) {
		return nil
	}
	return fault.InvalidSetting.New("--listen", "%s is reachable from other machines without TLS: give --tls-cert and --tls-key, or --behind-proxy where a proxy speaks TLS", w.Listen)
}

// IsLoopback says whether a listen address is reachable from this machine only.
// A name other than localhost counts as reachable from elsewhere.
func IsLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func baseURL(to *string) func(string) error {
	return func(v string) error {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return errors.New("want http://HOST[:PORT] or https://HOST[:PORT]")
		}
		*to = strings.TrimSuffix(v, "/")
		return nil
	}
}
