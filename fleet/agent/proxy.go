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

// refusalOf is what a proxy's refusal of a tunnel means. One that only hands on that it does not reach the hub refuses nobody.
func refusalOf(status string) error {
	what, hint := "does not let this server through", "it must allow CONNECT to the hub's port"
	switch status {
	case "Proxy Authentication Required":
		what, hint = "wants a name and a password, or does not take those given", "look at fleet.proxy_user and fleet.proxy_password_file"
	case "Bad Gateway", "Service Unavailable", "Gateway Timeout":
		what, hint = "does not reach the hub", "look at the hub, and at whether the proxy may call its address; this server goes on meanwhile"
	}
	return edgeward.E("agent.Wire", edgeward.Unavailable, "fleet.proxy", "the HTTP proxy %s: %s", what, status).WithHint("%s", hint)
}

// refusedByProxy is the status a proxy refused a tunnel with, if it did.
func refusedByProxy(err error) string {
	if err == nil || !slices.Contains(refusals, err.Error()) {
		return ""
	}
	return err.Error()
}
