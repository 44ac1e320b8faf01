package mqtt

import (
	"strings"

	"edgeward"
)

// root is the first two levels of every topic; the number changes when the meaning of a topic changes.
const root = "edgeward/v1/"

// AllTopics is the filter for everything that any node of any site publishes.
const AllTopics = root + "#"

// Topics makes the topics of one node:
//
//	edgeward/v1/<site>/<node>/status            retained; "online" or "offline" (will)
//	edgeward/v1/<site>/<node>/drift/<endpoint>  retained; the last drift report
//	edgeward/v1/<site>/<node>/event/<endpoint>  an alert fires, is acknowledged, resolves; a version is promoted
//	edgeward/v1/<site>/<node>/predict/<endpoint>     to the node: rows to be answered
//	edgeward/v1/<site>/<node>/prediction/<endpoint>  the answers
//	edgeward/v1/<site>/<node>/errors/<endpoint>      why there is none
//	edgeward/v1/<site>/<node>/scoring/<scoring>      the lines of a run's result
type Topics struct{ site, node string }

// NewTopics checks both names (edgeward.CheckName).
func NewTopics(site, node string) (Topics, error) {
	if err := edgeward.CheckName("site", site); err != nil {
		return Topics{}, err
	}
	return Topics{site, node}, edgeward.CheckName("node", node)
}

// Status is the topic of the node's online state.
func (t Topics) Status() string { return t.of("status") }

// All is the filter for everything the node publishes.
func (t Topics) All() string { return t.of("#") }

// Drift is the topic of an endpoint's last drift report.
func (t Topics) Drift(endpoint string) (string, error) { return t.ofEndpoint("drift", endpoint) }

// Event is the topic of what happens at an endpoint.
func (t Topics) Event(endpoint string) (string, error) { return t.ofEndpoint("event", endpoint) }

// Predict is the topic on which rows for an endpoint come.
func (t Topics) Predict(endpoint string) (string, error) { return t.ofEndpoint("predict", endpoint) }

// Prediction is the topic of an endpoint's answers.
func (t Topics) Prediction(endpoint string) (string, error) {
	return t.ofEndpoint("prediction", endpoint)
}

// Errors is the topic of requests to an endpoint that were not answered.
func (t Topics) Errors(endpoint string) (string, error) { return t.ofEndpoint("errors", endpoint) }

// Scoring is the topic of the results of a scoring.
func (t Topics) Scoring(name string) (string, error) {
	if err := edgeward.CheckName("scoring", name); err != nil {
		return "", err
	}
	return t.of("scoring") + "/" + name, nil
}

func (t Topics) of(kind string) string { return root + t.site + "/" + t.node + "/" + kind }

func (t Topics) ofEndpoint(kind, endpoint string) (string, error) {
	if err := edgeward.CheckName("endpoint", endpoint); err != nil {
		return "", err
	}
	return t.of(kind) + "/" + endpoint, nil
}

// Topic is a parsed topic. Endpoint is empty where the kind has none.
type Topic struct{ Site, Node, Kind, Endpoint string }

// ParseTopic reads a topic of the form Topics makes; another one is Invalid "mqtt.topic" or "name.invalid".
func ParseTopic(s string) (Topic, error) {
	bad := func() (Topic, error) {
		return Topic{}, edgeward.E("mqtt.ParseTopic", edgeward.Invalid, "mqtt.topic", "%.80q is not one of our topics", s)
	}
	rest, ok := strings.CutPrefix(s, root)
	if !ok || len(s) > 300 {
		return bad()
	}
	p := strings.Split(rest, "/")
	if len(p) < 3 || len(p) > 4 {
		return bad()
	}
	for i, what := range []string{"site", "node", "topic kind", "endpoint"}[:len(p)] {
		if err := edgeward.CheckName(what, p[i]); err != nil {
			return Topic{}, err
		}
	}
	t := Topic{Site: p[0], Node: p[1], Kind: p[2]}
	if len(p) == 4 {
		t.Endpoint = p[3]
	}
	return t, nil
}
