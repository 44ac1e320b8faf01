package agent

import (
	"net/http"
	"net/url"
	"slices"

	"edgeward"
)

// Proxy says which HTTP proxy a call goes through; nil: none. The way to the hub is a tunnel (CONNECT) in any case.
type Proxy func(*http.Request) (*url.URL, error)

// ParseProxy reads a proxy's address: "" is that of the environment (HTTPS_PROXY, NO_PROXY), "off" is none. user and password
// are for the proxy, if it asks.
func ParseProxy(address, user, password string) (Proxy, error) {
	switch address {
	case "":
		return http.ProxyFromEnvironment, nil
	case "off":
		return nil, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, edgeward.E("agent.ParseProxy", edgeward.Invalid, "config.invalid", "fleet.proxy %.80q is no address of a proxy", address).WithHint("write http://proxy.hospital.lan:3128, or off")
	}
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return http.ProxyURL(u), nil
}

// refusals are how net/http says that a proxy refused a tunnel: the text of its status line, and nothing else.
var refusals = []string{"Proxy Authentication Required", "Forbidden", "Method Not Allowed", "Bad Gateway", "Service Unavailable", "Gateway Timeout", "Not Found", "Bad Request", "Unauthorized"}

// refusedByProxy is the status a proxy refused a tunnel with, if it did.
func refusedByProxy(err error) string {
	if err == nil || !slices.Contains(refusals, err.Error()) {
		return ""
	}
	return err.Error()
}
