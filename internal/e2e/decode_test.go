package e2e

import (
	"encoding/base64"
	"regexp"
)

var dataField = regexp.MustCompile(`"data":\s*"([A-Za-z0-9+/=]+)"`)

// decodePayloads returns the bytes of every payload in an event's JSON.
func decodePayloads(text string) []byte {
	var out []byte
	for _, found := range dataField.FindAllStringSubmatch(text, -1) {
		if data, err := base64.StdEncoding.DecodeString(found[1]); err == nil {
			out = append(out, data...)
			out = append(out, '\n')
		}
	}
	return out
}
