package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"edgeward"
)

// Hook is a configured webhook: where to, and the file with the key that signs.
type Hook struct{ URL, KeyFile string }

// Drops are the folders of score.drops by name.
func (c Config) Drops() (map[string]string, error) {
	out := map[string]string{}
	for _, item := range c.Score.Drops {
		name, path, err := named(item)
		if err == nil && (out[name] != "" || !filepath.IsAbs(path) || path != filepath.Clean(path)) {
			err = fmt.Errorf("drop %q", name)
		}
		if err != nil {
			return nil, err
		}
		out[name] = path
	}
	return out, nil
}

// Webhooks are those of score.webhooks by name.
func (c Config) Webhooks() (map[string]Hook, error) {
	out := map[string]Hook{}
	for _, item := range c.Score.Webhooks {
		name, rest, err := named(item)
		address, file, _ := strings.Cut(rest, " ")
		file = strings.TrimSpace(file)
		if _, twice := out[name]; err == nil && (twice || !isHook(address) || !filepath.IsAbs(file)) {
			err = fmt.Errorf("webhook %q", name)
		}
		if err != nil {
			return nil, err
		}
		out[name] = Hook{address, file}
	}
	return out, nil
}

func named(item string) (name, rest string, err error) {
	name, rest, _ = strings.Cut(item, "=")
	return name, rest, edgeward.CheckName("sink", name)
}

// isHook holds for https, and for http to this machine.
func isHook(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(s) > 2000 {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

func isTopicPrefix(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsAny(s, "+#$\x00") && !strings.HasPrefix(s, "/")
}
