package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/store"
	"edgeward/runtime/serve"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// An entity tag of an object that a route changes has two parts, "BYTES.STATE": what GET answered, counters and all, and the
// stored state that a change would meet. If-None-Match compares the whole, If-Match the state alone: an endpoint that has
// answered once more is still the endpoint that a person looked at.

// object names what has a state, by the path of its GET, and how the state is found.
type object func(tx *store.Tx, group string, param func(string) string) (string, error)

var objects = map[string]object{
	"/datasets/{name}": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.Datasets.State(tx, group, param("name"))
	},
	"/models/{name}": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.Models.State(tx, group, param("name"))
	},
	"/endpoints/{name}": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.Endpoints.State(tx, group, param("name"))
	},
	"/endpoints/{name}/drift": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.PolicyState(tx, serve.Key{Group: group, Name: param("name")})
	},
	"/scorings/{name}": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.ScoringState(tx, group, param("name"))
	},
	"/fleet/overlays": func(tx *store.Tx, _ string, _ func(string) string) (string, error) {
		return store.FleetPlanState(tx)
	},
	"/jobs/{id}": func(tx *store.Tx, group string, param func(string) string) (string, error) {
		return store.JobState(tx, group, param("id"))
	},
}

// Why a route that is no GET has no If-Match (op.free).
const (
	onlyListed = "what it changes is shown in lists only and has no entity tag"
	makesNew   = "it makes something new"
	measures   = "it measures and changes nothing"
	onlyAsks   = "it asks and changes nothing"
	ownDoing   = "it changes nothing but the caller's own sign-in"
)

// needsMatch reports whether a request must say which state it changes: what replaces or removes an object does.
func (o op) needsMatch() bool {
	return o.changes != "" && slices.Contains([]string{http.MethodPut, http.MethodPatch, http.MethodDelete}, o.method)
}

// stateKey is where the state of a GET's object waits for tagged.
const stateKey = "edgeward.state"

// matched holds a request against its If-Match: 428 where one is needed and missing, 412 where the object is in another
// state, now or in the transaction that changes it. For a GET of an object it notes the state.
func (s *Server) matched(o op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		if find := objects[o.path]; find != nil && o.method == http.MethodGet {
			state, err := s.stateOf(c.Context(), find, c.Param) // before the handler reads: never newer than what it answers
			if err == nil {
				humaecho.Unwrap(c).Set(stateKey, state)
			}
			next(c) // which says itself what is missing
			return
		}
		match := strings.Join(humaecho.Unwrap(c).Request().Header.Values("If-Match"), ",")
		whatever := strings.TrimSpace(match) == "*"
		find := objects[o.changes]
		switch {
		case match == "" && o.needsMatch():
			s.writeProblem(c, edgeward.E("api.match", edgeward.Invalid, "precondition.required", "say which state you change").With("object", "/api/v1"+o.changes).
				WithHint("send If-Match with the ETag of GET /api/v1%s, or If-Match: * for whatever state it is in", o.changes))
		case match == "" || whatever:
			next(c)
		case find == nil:
			s.writeProblem(c, stale("this route has no object with an entity tag").WithHint("leave If-Match out"))
		default:
			group, wanted, param := principal(c.Context()).Group, statesOf(match), params(c, o.changes)
			check := func(tx *store.Tx) error {
				state, err := find(tx, group, param)
				if err == nil && !slices.Contains(wanted, state) {
					err = stale("somebody changed it meanwhile").With("object", "/api/v1"+o.changes).WithHint("look at it again, then decide")
				}
				return err
			}
			if err := s.parts.Store.View(c.Context(), check); err != nil { // before a body is read
				s.writeProblem(c, err)
				return
			}
			next(huma.WithContext(c, store.Expect(c.Context(), check)))
		}
	}
}

func stale(why string) *edgeward.Error {
	return edgeward.E("api.match", edgeward.Conflict, "precondition.failed", "the state in If-Match is not the one now: %s", why)
}

func (s *Server) stateOf(ctx context.Context, find object, param func(string) string) (state string, err error) {
	err = s.parts.Store.View(ctx, func(tx *store.Tx) error { state, err = find(tx, principal(ctx).Group, param); return err })
	return state, err
}

var inBraces = regexp.MustCompile(`\{([a-z]+)\}`)

// params keeps the parameters of a path: the request's context is reused when it is over.
func params(c huma.Context, path string) func(string) string {
	kept := map[string]string{}
	for _, m := range inBraces.FindAllStringSubmatch(path, -1) {
		kept[m[1]] = c.Param(m[1])
	}
	return func(name string) string { return kept[name] }
}

// statesOf are the states in the tags of an If-Match. A weak tag matches nothing (RFC 9110, strong comparison).
func statesOf(match string) (states []string) {
	for tag := range strings.SplitSeq(match, ",") {
		text, err := strconv.Unquote(strings.TrimSpace(tag))
		_, state, ok := strings.Cut(strings.TrimSuffix(text, zipped), ".")
		if err == nil && ok && state != "" {
			states = append(states, state)
		}
	}
	return states
}

// describeMatch writes If-Match and its refusals into the contract.
func describeMatch(o op, h *huma.Operation) {
	if o.changes == "" {
		return
	}
	h.Parameters = append(h.Parameters, &huma.Param{Name: "If-Match", In: "header", Required: o.needsMatch(), Schema: &huma.Schema{Type: huma.TypeString},
		Description: "ETag of GET /api/v1" + o.changes + ", or *: the change is made only while the object is in that state"})
	h.Errors = append(h.Errors, http.StatusPreconditionFailed)
	if o.needsMatch() {
		h.Errors = append(h.Errors, http.StatusPreconditionRequired)
	}
}
