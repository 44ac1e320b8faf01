package scorer

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/score"
)

// MQTT is how messages come and where answers go.
type MQTT struct {
	Options       mqtt.Options // of the node's broker
	Topics        mqtt.Topics
	ReplyPrefixes []string // topics below them may be asked for by reply_to
}

// ears listen to the topics of the scorings of messages.
type ears struct {
	of   map[string]score.Scoring // by topic
	stop func()                   // nil: nobody listens
}

// listen begins anew when the scorings of messages have changed. Their subscription is persistent: what comes while the
// server is down waits at the broker.
func (s *Scorer) listen(ctx context.Context, all []score.Scoring) {
	if s.MQTT == nil {
		return
	}
	want := map[string]score.Scoring{}
	for _, x := range all {
		if x.Source.Kind == score.MQTT && !x.Paused {
			want[x.Source.Topic] = x
		}
	}
	same := func(a, b score.Scoring) bool { return a.ID == b.ID }
	if maps.EqualFunc(want, s.ears.of, same) {
		return
	}
	if s.ears.stop != nil {
		s.ears.stop()
	}
	s.ears = ears{of: want}
	if len(want) == 0 {
		return
	}
	o := s.MQTT.Options
	o.ClientID += "-score"
	w, err := mqtt.NewWatcher(mqtt.WatchOptions{Options: o, Filters: slices.Sorted(maps.Keys(want)), Persistent: true},
		func(ctx context.Context, r mqtt.Received) error { return s.received(ctx, want, r) })
	if err != nil {
		s.Log.Error("no messages are answered", "err", err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx) // returns nil
	}()
	s.ears.stop = func() { cancel(); <-done }
}

// received answers one message. An error leaves it with the broker: the outbox is full, or the disk fails.
func (s *Scorer) received(ctx context.Context, of map[string]score.Scoring, r mqtt.Received) error {
	x, ok := of[r.Topic]
	if !ok || r.Retained {
		s.Log.Debug("a message was passed over", "topic", r.Topic, "retained", r.Retained)
		return nil
	}
	now := s.Now()
	m, err := parseMessage(r.Payload, s.MQTT.ReplyPrefixes)
	seen := store.AnsweredMessage{Group: x.Group, Scoring: x.ID, ID: m.ID, At: now}
	if m.ID != "" {
		if yes, werr := s.Store.WasAnswered(ctx, seen); werr != nil || yes {
			return werr
		}
	}
	var out store.Outgoing
	if err == nil {
		out, err = s.prediction(ctx, x, m, now)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if k := edgeward.KindOf(err); k == edgeward.Unavailable || k == edgeward.Exhausted {
			seen.ID = "" // the same message again may be answered
		}
		if edgeward.KindOf(err) == edgeward.Internal {
			s.Log.Error("a message was not answered", "scoring", x.Name, "err", err)
		}
		if out, err = s.refusal(x, m.ID, now, err); err != nil {
			return err
		}
	}
	err = s.Store.Answer(ctx, seen, out)
	s.Wake()
	return err
}

// messagePatience is how long an endpoint that is busy or not ready is asked again. Messages behind wait meanwhile.
const messagePatience = 20 * time.Second

// prediction is the answer to a message.
func (s *Scorer) prediction(ctx context.Context, x score.Scoring, m message, now time.Time) (store.Outgoing, error) {
	var all []wire.Prediction
	var err error
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		all, err = s.Work.PredictMessage(ctx, x, m.ID, m.PredictRequest)
		k := edgeward.KindOf(err)
		if err == nil || k != edgeward.Unavailable && k != edgeward.Exhausted || s.Now().Sub(now) > messagePatience {
			break
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return store.Outgoing{}, ctx.Err()
		}
	}
	if err != nil {
		return store.Outgoing{}, err
	}
	topic := m.ReplyTo
	if topic == "" {
		if topic, err = s.MQTT.Topics.Prediction(x.Endpoint); err != nil {
			return store.Outgoing{}, err
		}
	}
	key := x.ID + "/" + all[0].ID
	if m.ID != "" {
		key = x.ID + "/" + m.ID
	}
	return outgoing(topic, "edgeward.prediction/1", key, wire.PredictionMessage{ID: m.ID, Scoring: x.Name, Endpoint: x.Endpoint, At: now.UTC(), Predictions: all})
}

// refusal says why a message was not answered.
func (s *Scorer) refusal(x score.Scoring, id string, now time.Time, why error) (store.Outgoing, error) {
	topic, err := s.MQTT.Topics.Errors(x.Endpoint)
	if err != nil {
		return store.Outgoing{}, err
	}
	k := edgeward.KindOf(why)
	m := wire.ErrorMessage{ID: id, Scoring: x.Name, Endpoint: x.Endpoint, At: now.UTC(), Kind: k.String(), Code: edgeward.CodeOf(why), Message: edgeward.Words(why),
		Hint: edgeward.HintOf(why), Params: edgeward.ParamsOf(why)}
	if m.Code == "" {
		m.Code = m.Kind
	}
	if k == edgeward.Internal {
		m.Message = "an internal error; the server's log has it"
	}
	return outgoing(topic, "edgeward.error/1", x.ID+"/error/"+s.NewID(), m)
}

func outgoing(topic, schema, key string, body any) (store.Outgoing, error) {
	b, err := json.Marshal(body)
	if err == nil && len(b) > mqtt.MaxPayload-1024 {
		err = edgeward.E("scorer.answer", edgeward.TooLarge, "score.answer_too_large", "the answer has %d bytes, more than a message holds", len(b)).WithHint("send fewer rows in a message")
	}
	return store.Outgoing{Topic: topic, Schema: schema, Key: key, Body: b}, err
}

// Bounds of a result that goes out as messages.
const (
	maxLines  = 64        // messages
	linesFill = 128 << 10 // bytes of one, about
)

// lines makes messages of a result: its lines as texts, as many in each as fit. They leave with the note of the attempt.
func (s *Scorer) lines(ctx context.Context, d score.Delivery) ([]store.Outgoing, error) {
	const op = "scorer.lines"
	if s.MQTT == nil {
		return nil, edgeward.E(op, edgeward.NotFound, "score.no_broker", "this server has no MQTT broker").WithHint("set mqtt.url, or let the built-in broker run")
	}
	if d.Result.Size > maxLines*linesFill {
		return nil, edgeward.E(op, edgeward.TooLarge, "score.result_too_large", "a result of %d bytes is too large for messages", d.Result.Size).WithHint("take a drop or a webhook")
	}
	topic, err := s.MQTT.Topics.Scoring(d.Scoring)
	if err != nil {
		return nil, err
	}
	file, err := s.Blobs.Open(d.Result.Bytes)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := csv.NewReader(reader{ctx, file})
	columns, err := in.Read()
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	r := d.Result
	m := wire.ScoringMessage{Scoring: d.Scoring, Endpoint: r.Endpoint, Run: d.Run, Delivery: d.ID, Rows: r.Rows, Answered: r.Answered, Failed: r.Failed, Columns: columns, Lines: [][]string{}}
	var out []store.Outgoing
	size := 0
	flush := func(last bool) error {
		m.Part, m.Last = len(out)+1, last
		o, err := outgoing(topic, "edgeward.scoring/1", d.ID+"/"+strconv.Itoa(m.Part), m)
		out, m.Lines, size = append(out, o), [][]string{}, 0
		return err
	}
	for {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, edgeward.Wrap(op, err)
		}
		n := 0
		for _, cell := range line {
			n += len(cell) + 8
		}
		if size > 0 && size+n > linesFill {
			if err := flush(false); err != nil {
				return nil, err
			}
		}
		m.Lines, size = append(m.Lines, line), size+n
	}
	if err := flush(true); err != nil {
		return nil, err
	}
	return out, nil
}
