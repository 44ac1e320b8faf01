package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
)

func serve(t testing.TB, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{URL: s.URL, Token: "secret", Group: "ward"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnErrorComesBackAsTheServerMadeIt(t *testing.T) {
	for _, row := range []struct {
		name, body, kind, code, hint, text string
		status                             int
	}{
		{"a problem", `{"kind":"conflict","code":"model.exists","detail":"there is one","hint":"take it"}`, "conflict", "model.exists", "take it", "there is one", 409},
		{"fields that do not fit", `{"kind":"invalid","code":"request.invalid","detail":"bad","errors":[{"location":"body.name","message":"too long"}]}`, "invalid", "request.invalid", "", "body.name too long", 422},
		{"the Open Inference Protocol", `{"error":"no such input","code":"input.unknown","hint":"see the metadata"}`, "invalid", "input.unknown", "see the metadata", "no such input", 400},
		{"no JSON at all", `<html>`, "unavailable", "", "", "502", 502},
		{"an internal error has its request", `{"kind":"internal","detail":"something failed","request_id":"R1"}`, "internal", "", "", "R1", 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				fmt.Fprint(w, row.body)
			})
			err := c.Do(t.Context(), client.Request{Method: http.MethodPost, Path: "/x"}, nil)
			if edgeward.KindOf(err).String() != row.kind || edgeward.CodeOf(err) != row.code || edgeward.HintOf(err) != row.hint || !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, kind %s, code %q, hint %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
			}
		})
	}
}

func TestOnlyWhatMayBeRepeatedIsRepeated(t *testing.T) {
	n := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Edgeward-Group") != "ward" {
			t.Error("token or group is missing")
		}
		fmt.Fprint(w, `{"ready":true}`)
	})
	if h, err := c.Health(t.Context()); err != nil || !h.Ready || n != 3 {
		t.Errorf("%+v, %v after %d requests", h, err, n)
	}
	n = 0
	if err := c.Do(t.Context(), client.Request{Method: http.MethodPost, Path: "/x"}, nil); edgeward.KindOf(err) != edgeward.Unavailable || n != 1 {
		t.Errorf("a POST was sent %d times, %v", n, err)
	}
}

func TestTheTokenGoesNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	if _, err := c.Me(t.Context()); err == nil {
		t.Error("a redirect is no answer")
	}
}

func TestASocketWithALongPathIsReached(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a", 90), strings.Repeat("b", 90))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", fmt.Sprintf("/proc/self/fd/%d/s", d.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ready":true}`) })}
	go func() { _ = s.Serve(ln) }()
	defer s.Close()
	c, err := client.New(client.Options{Socket: filepath.Join(dir, "s")})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := c.Health(t.Context()); err != nil || !h.Ready {
		t.Error(h, err)
	}
	gone, err := client.New(client.Options{Socket: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	err = gone.Do(t.Context(), client.Request{Method: http.MethodPost, Path: "/x"}, nil)
	if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.HintOf(err) == "" {
		t.Errorf("%v: want unavailable with a hint", err)
	}
}

func TestTheFeedGoesOnWhereItStopped(t *testing.T) {
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after"))
		fmt.Fprint(w, ": hello\n\n")
		for i := range 2 { // two events a connection, the first of them known already
			fmt.Fprintf(w, "id: %d\nevent: model\ndata: {\"seq\":%d,\"action\":\"model.made\"}\n\n", 2*len(asked)-1+i, 2*len(asked)-1+i)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []uint64
	for e, err := range c.Events(ctx, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Seq); e.Seq == 6 {
			break
		}
	}
	if fmt.Sprint(got, asked) != "[2 3 4 5 6] [1 2 4]" {
		t.Errorf("got %v by asking after %v", got, asked)
	}
}

func TestTheFeedEndsWithWhatWaitingDoesNotMend(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "forbidden", "auth.forbidden")
	})
	n := 0
	for _, err := range c.Events(t.Context(), 0) {
		if n++; edgeward.KindOf(err) != edgeward.Forbidden {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("%d pairs", n)
	}
}

func TestACutAnswerIsNoAnswer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
	})
	var b strings.Builder
	if err := c.Backup(t.Context(), &b); edgeward.CodeOf(err) != "client.cut" {
		t.Errorf("%v after %q", err, b.String())
	}
}

func TestTensorsTravelBothWays(t *testing.T) {
	for _, row := range []struct {
		in   client.Tensor
		want string
	}{
		{client.Tensor{Name: "x", Datatype: "FP32", Shape: []int64{1, 3}, Values: []float64{0.1, math.NaN(), -2}}, `{"name":"x","datatype":"FP32","shape":[1,3],"data":[0.1,null,-2]}`},
		{client.Tensor{Name: "x", Datatype: "INT64", Shape: []int64{1}, Values: []float64{7}}, `{"name":"x","datatype":"INT64","shape":[1],"data":[7]}`},
		{client.Tensor{Name: "x", Datatype: "BOOL", Shape: []int64{2}, Values: []float64{1, 0}}, `{"name":"x","datatype":"BOOL","shape":[2],"data":[true,false]}`},
		{client.Tensor{Name: "x", Datatype: "BYTES", Shape: []int64{1}, Texts: []string{"a\"b"}}, `{"name":"x","datatype":"BYTES","shape":[1],"data":["a\"b"]}`},
	} {
		b, err := json.Marshal(row.in)
		if err != nil || string(b) != row.want {
			t.Errorf("got %s, %v; want %s", b, err, row.want)
		}
		var back client.Tensor
		if err := json.Unmarshal(b, &back); err != nil || fmt.Sprint(back) != fmt.Sprint(row.in) {
			t.Errorf("%v came back as %v, %v", row.in, back, err)
		}
	}
	if _, err := json.Marshal(client.Tensor{Datatype: "FP32", Values: []float64{math.Inf(1)}}); err == nil {
		t.Error("infinity was sent")
	}
}

func FuzzTensor(f *testing.F) {
	for _, s := range []string{`{"name":"x","datatype":"FP32","shape":[1],"data":[1,null]}`, `{"datatype":"BYTES","data":["a"]}`, `{"datatype":"BOOL","data":[true]}`, `{"data":{}}`, `{"datatype":"FP32","data":[1e999]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var x client.Tensor
		if json.Unmarshal([]byte(s), &x) != nil {
			return
		}
		if _, err := json.Marshal(x); err != nil {
			t.Errorf("%q was read and cannot be written: %v", s, err)
		}
	})
}

func ExampleClient_Infer() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"id":"01J","model_version":"2","parameters":{"edgeward_prediction_id":"01J"},"outputs":[{"name":"forecast","datatype":"FP32","shape":[1],"data":[231]}]}`)
	}))
	defer s.Close()
	c, _ := client.New(client.Options{URL: s.URL, Token: "ewt_…"})
	a, err := c.Infer(context.Background(), "visits", client.InferRequest{
		Key:    "elm",
		Inputs: []client.Tensor{{Name: "features", Datatype: "FP32", Shape: []int64{1, 2}, Values: []float64{228, math.NaN()}}},
	})
	fmt.Println(a.Version, a.First("forecast"), err)
	// Output: 2 231 <nil>
}
