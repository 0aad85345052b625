package main

import (
	"fmt"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// webUI is Temporal's Web UI in this process.
type webUI struct {
	server *uiserver.Server
	ended  chan error
	// URL is the page with the list of workflows.
	URL string
}

// startUI serves the Web UI for the frontend at address. The library ends the
// process when it cannot listen, so the caller has checked the port.
func startUI(address string, port int) *webUI {
	u := &webUI{
		server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
			Host:                loopback,
			Port:                port,
			TemporalGRPCAddress: address,
			EnableUI:            true,
			DefaultNamespace:    namespace,
			DisableNewsFetch:    true, // no call to the outside
			HideLogs:            true,
			CORS:                uiconfig.CORS{CookieInsecure: true}, // plain HTTP on loopback
		})),
		ended: make(chan error, 1),
		URL:   fmt.Sprintf("http://%s/namespaces/%s/workflows", loopbackPort(port), namespace),
	}
	go func() { u.ended <- u.server.Start() }()
	return u
}

// Stop closes the Web UI and waits for it.
func (u *webUI) Stop() error {
	u.server.Stop()
	return <-u.ended
}
