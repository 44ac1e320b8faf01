package scorer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/wire"
	"edgeward/runtime/score"
)

// message is a request by MQTT: the body of predict, and beside it what makes it one of a stream.
type message struct {
	ID      string `json:"id"`       // natural key, the client's; empty: each message is a new one
	ReplyTo string `json:"reply_to"` // topic of the answer; empty: …/prediction/<endpoint>
	wire.PredictRequest
}

// maxMessageID bounds a client's id in bytes.
const maxMessageID = 200

// parseMessage reads a request. Errors are Invalid or TooLarge, with a code and a hint; what could be read of the id is
// returned beside them.
func parseMessage(payload []byte, prefixes []string) (message, error) {
	const op = "scorer.message"
	var m message
	if len(payload) > mqtt.MaxPayload {
		return m, edgeward.E(op, edgeward.TooLarge, "score.message_too_large", "%d bytes, more than %d", len(payload), mqtt.MaxPayload).WithHint("send fewer rows in a message")
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	err := d.Decode(&m)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something after the object")
		}
	}
	if len(m.ID) > maxMessageID || !utf8.ValidString(m.ID) || strings.ContainsRune(m.ID, 0) {
		m.ID = ""
		err = errors.Join(err, errors.New("the id is no text of at most 200 bytes"))
	}
	if err != nil {
		return m, edgeward.E(op, edgeward.Invalid, "score.message", "the message cannot be read: %.200s", err.Error()).
			WithHint(`send {"id": "…", "fields": {"age": 71}}, or "rows" with a list of such objects`)
	}
	if m.ReplyTo != "" && !replyAllowed(m.ReplyTo, prefixes) {
		reply := m.ReplyTo
		m.ReplyTo = ""
		return m, edgeward.E(op, edgeward.Invalid, "score.reply_to", "answers do not go to topic %.80q", reply).
			WithHint("leave reply_to out; or the administrator adds a prefix of it to score.reply_prefixes")
	}
	return m, nil
}

// replyAllowed reports whether a topic may have answers: one that lies below a prefix that the administrator configured.
func replyAllowed(topic string, prefixes []string) bool {
	if score.CheckTopic(topic) != nil {
		return false
	}
	for _, p := range prefixes {
		if p = strings.TrimSuffix(p, "/") + "/"; strings.HasPrefix(topic, p) && len(topic) > len(p) {
			return true
		}
	}
	return false
}
