package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"edgeward/node/client"
)

func TestWhatAChangeSaysItWasDecidedOn(t *testing.T) {
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("If-Match")
		w.Header().Set("ETag", `"bytes.state"`)
		w.Write([]byte("{}"))
	}))
	t.Cleanup(srv.Close)
	c, err := client.New(client.Options{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := c.Tag(t.Context(), "/api/v1/models/m")
	if err != nil || tag != `"bytes.state"` || got != "" {
		t.Fatalf("tag %s, If-Match of a GET %q, %v", tag, got, err)
	}
	seen := client.IfMatch(t.Context(), tag)
	for _, x := range []struct {
		name string
		call func() error
		want string
	}{
		{"a removal of whatever is there", func() error { return c.DeleteModel(t.Context(), "m") }, "*"},
		{"a removal of what was seen", func() error { return c.DeleteModel(seen, "m") }, tag},
		{"a change by POST", func() error {
			_, err := c.ChangeSpec(t.Context(), "e", "promote", client.ChangeRequest{})
			return err
		}, ""},
		{"a change by POST of what was seen", func() error { _, err := c.ChangeSpec(seen, "e", "promote", client.ChangeRequest{}); return err }, tag},
		{"a header of its own", func() error {
			return c.Do(seen, client.Request{Method: "PUT", Path: "/x", Header: map[string]string{"If-Match": `"other"`}}, nil)
		}, `"other"`},
	} {
		if err := x.call(); err != nil || got != x.want {
			t.Errorf("%s: If-Match %q, want %q (%v)", x.name, got, x.want, err)
		}
	}
}
