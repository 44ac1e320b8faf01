package systemtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward/fleet/inquiry"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/record"
	"edgeward/sync/tuf"
)

// canary is what must not leave the node: numbers and texts of requests, in each form a program might write them.
var (
	canaryNumbers = []float64{86753.09375, -31415.9375}
	canaryTexts   = []string{"CANARY-in-an-id", "CANARY-in-a-name", "CANARY-in-a-field", "CANARY-in-a-header"}
)

// found lists which canaries are in b.
func found(b []byte) (out []string) {
	for _, text := range append([]string{"86753.09375", "86753.1", "8.675309375e", "31415.9375", "3.14159375e"}, canaryTexts...) {
		if bytes.Contains(b, []byte(text)) {
			out = append(out, text)
		}
	}
	for _, x := range canaryNumbers {
		single, double := math.Float32bits(float32(x)), math.Float64bits(x)
		for name, form := range map[string][]byte{"FP32": binary.LittleEndian.AppendUint32(nil, single), "FP32, big endian": binary.BigEndian.AppendUint32(nil, single),
			"FP64": binary.LittleEndian.AppendUint64(nil, double), "FP64, big endian": binary.BigEndian.AppendUint64(nil, double)} {
			if bytes.Contains(b, form) {
				out = append(out, fmt.Sprint(x, " as ", name))
			}
		}
	}
	return out
}

// siege is a hub behind a wiretap, two nodes of one site, a neighbour there, and a broker behind a relay.
type siege struct {
	testing.TB
	hub           *server
	nodes         []*server
	ids           []string
	wire          *wiretap
	broker        *mosquitto
	relay         *relay
	near          *neighbour
	root, an, abe tuf.Key
}

func newSiege(t testing.TB) *siege {
	t.Helper()
	s := &siege{TB: t, root: newKey(t), an: newKey(t), abe: newKey(t), broker: newMosquitto(t)}
	s.relay = newRelay(t, s.broker.addr)
	s.hub = start(t, options{set: map[string]string{"node.name": "hub", "fleet.address": "127.0.0.1:0", "grpc.address": "off"}})
	s.wire = tapped(t, s.hub, "siege", func(at string) {
		foundFleet(t, s.hub.Client, at, s.root, tuf.Charter{Fleet: "siege", Models: both(s.an, s.abe)})
	})
	for i, name := range []string{"north-1", "north-2"} {
		n := start(t, options{set: map[string]string{"node.name": name, "site": "north", "fleet.address": "off", "gossip.address": "127.0.0.1:0", "grpc.address": "off", "mqtt.broker": "false", "mqtt.address": "", "mqtt.url": "tcp://" + s.relay.at}})
		must[client.FleetMembership](t)(n.JoinFleet(within(t, time.Minute), s.code()))
		s.nodes = append(s.nodes, n)
		eventually(t, 20*time.Second, "the node knows its id", func() bool {
			v, err := n.FleetSite(within(t, 10*time.Second))
			s.ids = append(s.ids[:i], v.Node)
			return err == nil && v.Node != ""
		})
	}
	s.near = moveIn(t, s.code(), "neighbour", must[client.Fleet](t)(s.hub.Fleet(within(t, time.Minute))).HubKey)
	for version := 1; version <= 3; version++ {
		must[client.ImportedVersion](t)(s.hub.ImportModel(within(t, time.Minute), "affine", bytes.NewReader(affineOf(t, 20<<10)), client.ModelUpload{Filename: "affine.onnx", IntendedUse: "tests"}))
	}
	return s
}

func (s *siege) code() string {
	s.Helper()
	return must[client.FleetCode](s.TB)(s.hub.CreateFleetCode(within(s.TB, time.Minute), client.FleetCodeRequest{Site: "north", Auto: true})).Text
}

// roll has a version signed and brought to both nodes. The neighbour never has it.
func (s *siege) roll(version int) {
	s.Helper()
	signVersion(s.TB, s.hub.Client, "affine", version, s.an, s.abe)
	r := must[client.Rollout](s.TB)(s.hub.StartRollout(within(s.TB, time.Minute), client.RolloutRequest{Select: "name in (north-1,north-2)", Model: "affine", Version: version, Endpoint: "affine", Reason: "test",
		Plan: rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: 3}, Probation: spec.Probation{Requests: 3, Longest: time.Second}}))
	for _, n := range s.nodes {
		eventually(s.TB, time.Minute, fmt.Sprintf("version %d stays", version), func() bool {
			m, err := n.FleetMembership(within(s.TB, 10*time.Second))
			if err != nil || len(m.Items) == 0 {
				return false
			}
			e, err := n.Endpoint(within(s.TB, 10*time.Second), "affine")
			return err == nil && m.Items[0].Phase == spec.Committed && m.Items[0].Want == m.Items[0].Live && e.Status.Live == version
		})
	}
	eventually(s.TB, time.Minute, "the hub knows", func() bool {
		v, err := s.hub.Rollout(within(s.TB, 10*time.Second), r.ID)
		return err == nil && v.State.Final()
	})
}

// TestNothingOfARequestLeavesANode asks a node of a fleet with values and texts that occur nowhere else, rightly and wrongly, tells it the truth, and then
// reads all that the node said to the hub, to a server of its site and to the broker, as who holds the keys reads it, and its logs and its support bundle
// on their way to the hub: none of it is there. At the broker somebody gives commands, too: none is obeyed.
func TestNothingOfARequestLeavesANode(t *testing.T) {
	needNative(t)
	needtest.Tool(t, "mosquitto_pub")
	s := newSiege(t)
	ctx := within(t, 4*time.Minute)
	s.roll(1)
	n := s.nodes[0]
	full := "full"
	must[client.EndpointView](t)(n.UpdateEndpoint(ctx, "affine", client.EndpointChange{Record: &full, Reason: "test"}))
	for i := range 40 {
		a := must[client.InferAnswer](t)(n.Infer(ctx, "affine", client.InferRequest{ID: fmt.Sprint(canaryTexts[0], i), Inputs: []client.Tensor{x(canaryNumbers...)}}))
		if i == 0 && (len(a.Outputs) != 1 || math.Abs(a.Outputs[0].Values[0]-(2*canaryNumbers[0]-canaryNumbers[1]+0.5)) > 0.01) {
			t.Fatalf("it answered %+v", a.Outputs)
		}
		if i < 20 {
			truth := canaryNumbers[0]
			must[client.FeedbackAnswer](t)(n.Feedback(ctx, client.Feedback{Prediction: a.Prediction, Source: "ruler", Kind: string(record.Truth), Value: &truth, Note: canaryTexts[0]}))
		}
	}
	for _, body := range []string{
		`{"inputs":[{"name":"` + canaryTexts[1] + `","datatype":"FP32","shape":[1,2],"data":[86753.09375,-31415.9375]}]}`,
		`{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":["` + canaryTexts[2] + `",86753.09375]}]}`,
		`{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[86753.09375,86753.09375,86753.09375]}]}`,
		`{"id":"` + canaryTexts[0] + `","inputs":[` + canaryTexts[2],
	} {
		if a := n.request(t, "POST", "/v2/models/affine/infer", bootstrap, body, "Edgeward-Sticky-Key", canaryTexts[3], "X-Request-Id", canaryTexts[3]); a.StatusCode < 400 {
			t.Errorf("%s: %s", body, a.Status)
		}
	}
	// An administrator of the hub asks for the log and a bundle.
	var came bytes.Buffer
	for _, what := range []inquiry.What{inquiry.Logs, inquiry.Bundle} {
		q := must[client.Inquiry](t)(s.hub.Inquire(ctx, s.ids[0], client.InquiryRequest{What: what, Lines: 5000, Reason: "test"}))
		eventually(t, time.Minute, "the node sends "+string(what), func() bool {
			var b bytes.Buffer
			if err := s.hub.InquiryFile(within(t, 10*time.Second), q.ID, &b); err != nil {
				return false
			}
			came.Write(opened(t, b.Bytes()))
			return true
		})
	}
	// Summaries and hourly counts leave three times a minute at most; an alert of the endpoint and drift need more than this test has.
	eventually(t, time.Minute, "the hub has counts of the endpoint", func() bool {
		return strings.Contains(s.wire.said.String(), "/fleet/v1/summaries") && strings.Contains(s.wire.said.String(), "/fleet/v1/events")
	})
	s.commands(n)
	eventually(t, 30*time.Second, "the neighbour is asked and hears gossip", func() bool {
		return s.near.seen.Load() > 50 && strings.Contains(s.near.heard.String(), "/site/v1/document")
	})

	toBroker, subscribed := s.relay.said(t)
	for to, b := range map[string][]byte{"the hub": []byte(s.wire.said.String()), "a server of the site": []byte(s.near.heard.String()), "the broker": toBroker, "the hub, in logs and bundle": came.Bytes()} {
		t.Logf("%d bytes went to %s", len(b), to)
		if len(b) < 500 {
			t.Errorf("only %d bytes went to %s: the test tested nothing", len(b), to)
		}
		if list := found(b); len(list) > 0 {
			t.Errorf("to %s went %v", to, list)
		}
	}
	for _, topic := range subscribed {
		if !slices.Contains([]string{"edgeward/v1/north/north-1/#", "edgeward/v1/north/north-2/#"}, topic) {
			t.Errorf("a node listens to %s", topic)
		}
	}
	// The search finds what it should: the node's own record of the requests has them.
	var own bytes.Buffer
	if err := n.ExportPredictions(ctx, "affine", client.Window{}, "csv", true, &own); err != nil || len(found(own.Bytes())) == 0 {
		t.Errorf("the node's own table has none of it: %v", err)
	}
}

// commands sends what an attacker at the broker may send: Sparkplug's commands and commands of our own making, retained and not.
func (s *siege) commands(n *server) {
	s.Helper()
	host, port, _ := strings.Cut(s.broker.addr, ":")
	before := must[client.EndpointView](s.TB)(n.Endpoint(within(s.TB, time.Minute), "affine"))
	for _, topic := range []string{"spBv1.0/north/NCMD/north-1", "spBv1.0/north/DCMD/north-1/affine", "edgeward/v1/north/north-1/command", "edgeward/v1/north/north-1/event/affine",
		"edgeward/v1/north/north-1/predict/affine", "edgeward/v1/north/north-1/models/affine/set", "homeassistant/status"} {
		for _, payload := range []string{`{"metrics":[{"name":"Node Control/Reboot","value":true}]}`, `{"version":2,"action":"promote"}`, "\x0a\x1fNode Control/Rebirth"} {
			if out, err := exec.Command("mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-r", "-t", topic, "-m", payload).CombinedOutput(); err != nil {
				s.Fatalf("mosquitto_pub: %v\n%s", err, out)
			}
		}
	}
	time.Sleep(500 * time.Millisecond)
	after := must[client.EndpointView](s.TB)(n.Endpoint(within(s.TB, time.Minute), "affine"))
	if after.Status.Live != before.Status.Live || after.Status.State != "ready" || len(after.Metrics.Versions) == 0 {
		s.Errorf("the endpoint is %+v", after.Status)
	}
	for _, v := range after.Metrics.Versions {
		for _, w := range before.Metrics.Versions {
			if v.Version == w.Version && v.Role == w.Role && v.Requests != w.Requests {
				s.Errorf("%d requests came over MQTT", v.Requests-w.Requests)
			}
		}
	}
}

// opened is a file with what it holds unpacked beside it.
func opened(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	plain := must[[]byte](t)(io.ReadAll(z))
	r := tar.NewReader(bytes.NewReader(plain))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return b
		}
		if err != nil { // no archive: a compressed file
			return append(b, plain...)
		}
		body := must[[]byte](t)(io.ReadAll(r))
		b = append(append(b, h.Name...), opened(t, body)...)
	}
}
