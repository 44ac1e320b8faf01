package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"edgeward"
)

type finding struct{ key, want string }

// check returns what is wrong with values that have the right type.
func (c Config) check() (found []finding) {
	bad := func(ok bool, key, want string) {
		if !ok {
			found = append(found, finding{key, want})
		}
	}
	bad(filepath.IsAbs(c.DataDir) || c.DataDir == "edgeward-data", "data_dir", "an absolute path")
	bad(edgeward.CheckName("site", c.Site) == nil, "site", "a name such as \"st-mary\": lower-case letters, digits, dashes")
	bad(c.Node.Name == "" || edgeward.CheckName("node", c.Node.Name) == nil, "node.name", "a name such as \"er-1\": lower-case letters, digits, dashes")
	bad(isAddress(c.HTTP.Address), "http.address", "an address such as \"127.0.0.1:8080\"")
	for _, h := range c.HTTP.AllowedHosts {
		bad(isHost(h), "http.allowed_hosts", "DNS names without port, such as \"ml.hospital.example\"")
	}
	bad(c.HTTP.MaxBody >= 1<<20 && c.HTTP.MaxBody <= 4<<30, "http.max_body", "between 1 MiB and 4 GiB")
	bad(c.HTTP.MaxUpload >= 1<<20, "http.max_upload", "at least 1 MiB")
	bad((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls.key_file", "set together with tls.cert_file, or both empty")
	for key, address := range map[string]string{"grpc.address": c.GRPC.Address, "s3.address": c.S3.Address, "gossip.address": c.Gossip.Address} {
		bad(address == Off || isAddress(address), key, "an address such as \"127.0.0.1:9000\", or \"off\"")
	}
	bad(isAddress(c.MQTT.Address), "mqtt.address", "an address such as \"127.0.0.1:1883\"")
	bad(c.MQTT.URL == "" || isBroker(c.MQTT.URL), "mqtt.url", "tcp://, ssl://, ws:// or wss:// with host and port, without user and password")
	bad(c.Fleet.Proxy == "" || c.Fleet.Proxy == Off || isProxy(c.Fleet.Proxy), "fleet.proxy", "http:// or https:// with host and port, without user and password, or \"off\"")
	_, err := c.Drops()
	bad(err == nil, "score.drops", "a list of name=/absolute/path, such as \"lab=/srv/lab/results\"; names are lower-case letters, digits and dashes, each once")
	_, err = c.Webhooks()
	bad(err == nil, "score.webhooks", "a list of \"name=https://host/path /absolute/path/of/key\"; names are lower-case letters, digits and dashes, each once, a URL has no user and password")
	for _, p := range c.Score.ReplyPrefixes {
		bad(isTopicPrefix(p), "score.reply_prefixes", "topics such as \"plant/press-4\", without + # and $")
	}
	bad(c.Tracing.URL == "" || isCollector(c.Tracing.URL), "tracing.url", "http:// or https:// with host and path, without user and password, such as \"http://collector:4318/v1/traces\"")
	bad(c.Update.Window >= time.Second && c.Update.Window <= time.Hour, "update.window", "between 1s and 1h")
	bad(c.Tracing.Sample >= 0 && c.Tracing.Sample <= 1, "tracing.sample", "between 0 and 1")
	bad(c.Workers.Memory >= 256<<20, "workers.memory", "at least 256 MiB")
	bad(c.Workers.MemoryBudget == 0 || c.Workers.MemoryBudget >= 64<<20, "workers.memory_budget", "0 or at least 64 MiB")
	bad(c.Query.Memory >= 64<<20, "query.memory", "at least 64 MiB")
	bad(c.Workers.Threads >= 0 && c.Workers.Threads <= 1024, "workers.threads", "between 0 and 1024")
	bad(c.Jobs.Parallel >= 0 && c.Jobs.Parallel <= 1024, "jobs.parallel", "between 0 and 1024")
	bad(c.Jobs.Timeout >= time.Minute, "jobs.timeout", "at least 1m")
	bad(c.Auth.SessionIdle >= time.Minute, "auth.session_idle", "at least 1m")
	bad(c.Auth.SessionAbsolute >= c.Auth.SessionIdle, "auth.session_absolute", "at least auth.session_idle")
	bad(c.Drift.FalseAlarmsPerYear > 0 && c.Drift.FalseAlarmsPerYear <= 365, "drift.false_alarms_per_year", "above 0, at most 365")
	bad(c.Records.KeyFile == "" || filepath.IsAbs(c.Records.KeyFile), "records.key_file", "an absolute path, or empty")
	bad(c.Retention.PredictionDays >= 0, "retention.prediction_days", "0 or more")
	bad(c.Health.Delay >= 0 && c.Health.Delay <= time.Hour, "health.delay", "between 0s and 1h")
	bad(new(slog.LevelVar).UnmarshalText([]byte(c.Log.Level)) == nil, "log.level", "debug, info, warn or error")
	bad(c.Log.Format == "text" || c.Log.Format == "json", "log.format", "text or json")
	return found
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err == nil || host == "" || host == "localhost"
}

func isHost(s string) bool {
	return s != "" && len(s) <= 253 && !strings.ContainsAny(s, ":/ *@") && s == strings.ToLower(s)
}

func isCollector(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func isBroker(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Port() == "" || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "tcp", "ssl", "ws", "wss":
		return true
	}
	return false
}

func isProxy(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == ""
}

// Loopback reports whether only this machine can reach the address.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// userinfo is what a password in a URL stands in: it is refused, and is not to stand in a log for it.
var userinfo = regexp.MustCompile(`://[^/]*@`)

// wrongValue names the key, the value, where it came from and what would be right.
func wrongValue(s Setting, value any, want string) error {
	text := fmt.Sprintf("%.80q", userinfo.ReplaceAllString(fmt.Sprint(value), "://…@"))
	from := ""
	if s.From != "" {
		from = " (" + s.From + ")"
	}
	return edgeward.E("config.Load", edgeward.Invalid, "config.invalid", "%s is %s%s; right is %s", s.Key, text, from, want).
		With("key", s.Key).WithHint("%s: %s", s.Key, s.Doc)
}

func unknownKey(key, from string) error {
	near := edgeward.Nearest(key, keys())
	if from != "" {
		from = " in " + from
	}
	return edgeward.E("config.Load", edgeward.Invalid, "config.unknown_key", "there is no setting %.80q%s; the nearest is %s", key, from, near).
		With("key", key).With("nearest", near).WithHint("did you mean %s?", near)
}

func keys() (all []string) {
	var c Config
	eachField(reflect.ValueOf(&c).Elem(), "", func(key string, _ reflect.StructField, _ reflect.Value) { all = append(all, key) })
	return all
}

// together makes one error of several; one alone stays itself.
func together(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return &edgeward.Error{Op: "config.Load", Kind: edgeward.Invalid, Code: edgeward.CodeOf(errs[0]), Hint: edgeward.HintOf(errs[0]),
		Params: edgeward.ParamsOf(errs[0]), Err: errors.Join(errs...)}
}
