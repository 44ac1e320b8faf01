package systemtest

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"edgeward"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// TestEndpointPolicies asks one endpoint over both protocols: limits, sticky keys, variants, aliases, versions by number.
func TestEndpointPolicies(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	for _, use := range []string{"first", "second", "third"} {
		must[client.ImportedVersion](t)(s.ImportModel(ctx, "leaks", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx", IntendedUse: use}))
	}
	deployed(t, s.Client, "leaks", 1)
	change := func(c client.Change, r client.ChangeRequest) client.Spec {
		t.Helper()
		r.Reason = "a test"
		return must[client.Spec](t)(s.ChangeSpec(ctx, "leaks", c, r))
	}
	set := func(r client.EndpointChange) {
		t.Helper()
		r.Reason = "a test"
		must[client.EndpointView](t)(s.UpdateEndpoint(ctx, "leaks", r))
	}
	ready := func(version int) {
		t.Helper()
		eventually(t, 30*time.Second, fmt.Sprintf("version %d is loaded", version), func() bool {
			_, err := s.Infer(ctx, "leaks", client.InferRequest{Version: version, Inputs: []client.Tensor{x(1, 0)}})
			return err == nil
		})
	}
	body := `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,0]}]}`
	oip := func(token string, header ...string) answer {
		return s.request(t, "POST", "/v2/models/leaks/infer", token, body, header...)
	}

	t.Run("a model's alias names the version", func(t *testing.T) {
		if _, err := s.MoveAlias(ctx, "leaks", "challenger", client.AliasRequest{Version: 2, Reason: "a test"}); err != nil {
			t.Fatal(err)
		}
		spec := change(client.Canary, client.ChangeRequest{Alias: "challenger", Share: 0.5})
		if got, ok := spec.Target(2); !ok || got.Weight != 5000 {
			t.Errorf("%+v", spec)
		}
		_, err := s.ChangeSpec(ctx, "leaks", client.Shadow, client.ChangeRequest{Alias: "chalenger", Reason: "a test"})
		wantError(t, err, edgeward.NotFound, "model.no_alias")
		ready(2)
	})
	t.Run("a sticky key keeps its version, by parameter and by header", func(t *testing.T) {
		versions := map[string]bool{}
		for i := range 12 {
			key := fmt.Sprint("valve-", i)
			a := oip(bootstrap, "Edgeward-Sticky-Key", key)
			p := must[[]client.Prediction](t)(s.Predict(ctx, "leaks", client.PredictRequest{Fields: map[string]any{"x": []any{1, 0}}, StickyKey: key}))[0]
			if !strings.Contains(string(a.body), fmt.Sprintf(`"model_version":"%d"`, p.Version)) {
				t.Errorf("%s: version %d by name, %s", key, p.Version, a.body)
			}
			versions[fmt.Sprint(p.Version, p.Role)] = true
		}
		if len(versions) != 2 || !versions["1live"] || !versions["2canary"] {
			t.Errorf("12 keys went to %v", versions)
		}
	})
	t.Run("a variant is chosen by header and counted apart", func(t *testing.T) {
		change(client.Withdraw, client.ChangeRequest{Version: 2})
		change(client.Variant, client.ChangeRequest{Name: "sharper", Version: 2})
		ready(2)
		eventually(t, 10*time.Second, "the variant answers", func() bool {
			return oip(bootstrap, "Edgeward-Variant", "sharper").Header.Get("Edgeward-Variant") == "sharper"
		})
		a := oip(bootstrap, "Edgeward-Variant", "sharper")
		if !strings.Contains(string(a.body), `"edgeward_role":"variant","edgeward_variant":"sharper"`) {
			t.Errorf("%s", a.body)
		}
		if a := oip(bootstrap, "Edgeward-Variant", "blunt"); a.StatusCode != http.StatusOK || a.Header.Get("Edgeward-Variant") != "" || !strings.Contains(string(a.body), `"edgeward_role":"live"`) {
			t.Errorf("a variant that is not there: %s %s", a.Status, a.body)
		}
		if a := must[client.InferAnswer](t)(s.Infer(ctx, "leaks", client.InferRequest{Variant: "sharper", StickyKey: "valve-1", Inputs: []client.Tensor{x(1, 0)}})); a.Version != 2 || a.Role != "variant" || a.Variant != "sharper" {
			t.Errorf("%+v", a)
		}
		v := must[client.EndpointView](t)(s.Endpoint(ctx, "leaks"))
		for _, c := range v.Metrics.Versions {
			if c.Role == "variant" && c.Version == 2 && (c.Variant != "sharper" || c.Requests < 2) {
				t.Errorf("%+v", c)
			}
		}
	})
	t.Run("a version policy says what may be asked by number", func(t *testing.T) {
		_, err := s.Infer(ctx, "leaks", client.InferRequest{Version: 3, Inputs: []client.Tensor{x(1, 0)}})
		wantError(t, err, edgeward.NotFound, "endpoint.no_version")
		all, wrong := "latest:3", "newest"
		set(client.EndpointChange{Versions: &all})
		ready(3)
		_, err = s.UpdateEndpoint(ctx, "leaks", client.EndpointChange{Versions: &wrong, Reason: "a test"})
		wantError(t, err, edgeward.Invalid, "endpoint.versions")
		must[client.ImportedVersion](t)(s.ImportModel(ctx, "leaks", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx", IntendedUse: "fourth"}))
		ready(4) // without a word from anybody
		if v := must[client.EndpointView](t)(s.Endpoint(ctx, "leaks")); v.Status.State != "ready" || v.Status.Live != 1 {
			t.Errorf("%+v", v.Status)
		}
	})
	t.Run("limits hold for each caller over all protocols", func(t *testing.T) {
		ada, bob := token(t, s.Client, "service"), token(t, s.Client, "service")
		set(client.EndpointChange{PrincipalRate: &client.Limit{PerSecond: 0.1, Burst: 2}})
		eventually(t, 10*time.Second, "the limit holds", func() bool {
			m := must[client.EndpointView](t)(s.Endpoint(ctx, "leaks"))
			return m.Endpoint.PrincipalRate.Burst == 2 && oip(bootstrap).StatusCode == http.StatusTooManyRequests
		})
		rows := `{"rows":[{"x":[1,0]},{"x":[2,0]},{"x":[3,0]}]}`
		if a := s.request(t, "POST", "/api/v1/endpoints/leaks/predict", ada, rows); a.StatusCode != http.StatusOK {
			t.Errorf("three rows are one request, and got %s %s", a.Status, a.body)
		}
		if a := oip(ada); a.StatusCode != http.StatusOK {
			t.Errorf("the second: %s %s", a.Status, a.body)
		}
		for protocol, a := range map[string]answer{"named fields": s.request(t, "POST", "/api/v1/endpoints/leaks/predict", ada, rows), "open inference": oip(ada)} {
			after := a.Header.Get("Retry-After")
			if p := a.problem(); a.StatusCode != http.StatusTooManyRequests || p.Code != "endpoint.rate" || p.Hint == "" || after == "" || after == "0" || after == "1" {
				t.Errorf("%s: %s, Retry-After %q, %s", protocol, a.Status, after, a.body)
			}
		}
		conn, err := grpc.NewClient(s.node.GRPCAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var trailer metadata.MD
		err = conn.Invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+ada), "/inference.GRPCInferenceService/ModelInfer",
			&pb.ModelInferRequest{ModelName: "leaks", RawInputContents: [][]byte{make([]byte, 8)}, Inputs: []*pb.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}}}},
			&pb.ModelInferResponse{}, grpc.Trailer(&trailer))
		if after := trailer.Get("retry-after"); status.Code(err) != codes.ResourceExhausted || len(after) != 1 || after[0] == "1" || trailer.Get("edgeward-code")[0] != "endpoint.rate" {
			t.Errorf("gRPC: %v, trailer %v", err, trailer)
		}
		if a := oip(bob); a.StatusCode != http.StatusOK {
			t.Errorf("another caller: %s %s", a.Status, a.body)
		}
		if v := must[client.EndpointView](t)(s.Endpoint(ctx, "leaks")); v.Metrics.Limited < 2 {
			t.Errorf("%d refusals counted", v.Metrics.Limited)
		}
		set(client.EndpointChange{PrincipalRate: &client.Limit{}})
	})
	t.Run("an equal question is answered from the cache, and the answer says so", func(t *testing.T) {
		set(client.EndpointChange{Cache: new(8)})
		eventually(t, 10*time.Second, "the cache answers by name", func() bool {
			return must[[]client.Prediction](t)(s.Predict(ctx, "leaks", client.PredictRequest{Fields: map[string]any{"x": []any{7, 0}}}))[0].Cached
		})
		body = strings.Replace(body, "[1,0]", "[7,0]", 1)
		if a := oip(bootstrap); !strings.Contains(string(a.body), `"edgeward_cached":true`) {
			t.Errorf("%s", a.body)
		}
		if p := must[[]client.Prediction](t)(s.Predict(ctx, "leaks", client.PredictRequest{Fields: map[string]any{"x": []any{8, 0}}}))[0]; p.Cached {
			t.Errorf("another question: %+v", p)
		}
		set(client.EndpointChange{Cache: new(0)})
	})
	t.Run("every change is told", func(t *testing.T) {
		l := must[client.List[client.Event]](t)(s.Audit(ctx, client.AuditQuery{Kind: "endpoint", Name: "leaks"}, ""))
		seen := map[string]bool{}
		for _, e := range l.Items {
			seen[e.Action] = true
			if e.Action == "endpoint.changed" && (len(e.Detail) == 0 || e.Reason == "") {
				t.Errorf("%+v", e)
			}
		}
		if !seen["endpoint.created"] || !seen["endpoint.changed"] || !seen["endpoint.spec.changed"] {
			t.Errorf("%v", seen)
		}
		_, err := s.UpdateEndpoint(ctx, "leaks", client.EndpointChange{})
		wantError(t, err, edgeward.Invalid, "reason.missing")
	})
}

func x(v ...float64) client.Tensor {
	return client.Tensor{Name: "x", Datatype: "FP32", Shape: []int64{1, int64(len(v))}, Values: v}
}
