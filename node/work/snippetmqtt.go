package work

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"

	"edgeward/node/wire"
	"edgeward/runtime/score"
)

// mqttSnippet asks an endpoint by a message, with Mosquitto's clients: who waits for the answer is there before the request
// is sent. It is nil where this server has no broker that a program could be told. body is the request, base the address
// under which programs reach this server.
func (w *Work) mqttSnippet(ctx context.Context, group, name string, base *url.URL, body string) (*wire.Snippet, error) {
	if w.Topics == nil {
		return nil, nil
	}
	flags, ok := brokerFlags(w.Broker, base.Hostname(), w.BrokerUser)
	if !ok {
		return nil, nil
	}
	ask, err := w.Topics.Predict(name)
	if err != nil {
		return nil, err
	}
	answers, err := w.Topics.Prediction(name)
	if err != nil {
		return nil, err
	}
	errors, err := w.Topics.Errors(name)
	if err != nil {
		return nil, err
	}
	all, err := w.Store.AllScorings(ctx)
	if err != nil {
		return nil, err
	}
	note := ""
	if i := slices.IndexFunc(all, func(s score.Scoring) bool {
		return s.Group == group && s.Endpoint == name && s.Source.Kind == score.MQTT
	}); i >= 0 {
		ask = all[i].Source.Topic
	} else {
		note = "# nothing answers messages yet; once: edgeward score create " + name + "-mqtt --endpoint " + name + " --mqtt\n"
	}
	payload := "-m " + shellQuoted(body)
	if len(body) > maxInline {
		note += "# request.json: edgeward endpoint snippet " + name + " --lang json > request.json\n"
		payload = "-f request.json"
	}
	code := note + "mosquitto_sub " + flags + " -q 1 -C 1 -W 30 -t " + shellQuoted(answers) + " -t " + shellQuoted(errors) + " &\n" +
		"sleep 1 # until it listens\nmosquitto_pub " + flags + " -q 1 -t " + shellQuoted(ask) + " " + payload + "\nwait"
	return &wire.Snippet{Lang: "mqtt", Title: "MQTT: Mosquitto's clients", Code: code}, nil
}

// brokerFlags are the flags by which Mosquitto's clients reach a broker: at host where it listens on every address. A
// password is asked for by its name, never told.
func brokerFlags(broker, host, user string) (string, bool) {
	u, err := url.Parse(broker)
	if err != nil {
		return "", false
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsUnspecified() {
		host = u.Hostname()
	}
	secure, port := slices.Contains([]string{"ssl", "tls", "mqtts"}, u.Scheme), u.Port()
	if !hostOnly.MatchString(host) || !secure && u.Scheme != "tcp" && u.Scheme != "mqtt" { // Mosquitto's clients speak no WebSocket
		return "", false
	}
	if port == "" {
		port = "1883"
		if secure {
			port = "8883"
		}
	}
	flags := "-h " + host + " -p " + port
	if secure {
		flags += ` --cafile "$MQTT_CA"`
	}
	if user != "" {
		flags += " -u " + shellQuoted(user) + ` -P "$MQTT_PASSWORD"`
	}
	return flags, true
}

func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
