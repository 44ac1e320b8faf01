package node

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"runtime/debug"
	"strings"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/node/logs"
)

// Support writes what helps somebody far away to help: a tar.gz of versions, settings, status, health and the newest log lines. It holds no
// prediction, no data, no model and no secret: settings name files of secrets, never the secrets, and log lines are cleaned (node/logs).
func (n *Node) Support(ctx context.Context, w io.Writer) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	add := func(name string, b []byte) error {
		if err := t.WriteHeader(&tar.Header{Name: "edgeward-support/" + name, Mode: 0o600, Size: int64(len(b)), ModTime: n.now()}); err != nil {
			return err
		}
		_, err := t.Write(b)
		return err
	}
	object := func(name string, v any) error {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		return add(name, []byte(logs.Clean(string(b))))
	}
	status, err := n.Status(ctx)
	if err != nil {
		return err
	}
	for i := range status.Outbound {
		status.Outbound[i].Body = "" // the last report of drift is nobody's business here
	}
	member, err := n.role.Membership(ctx)
	if err != nil {
		return err
	}
	versions := map[string]any{"edgeward": n.o.Version, "engines": engines()}
	if b, ok := debug.ReadBuildInfo(); ok {
		versions["go"] = b.GoVersion
	}
	for _, f := range []struct {
		name string
		v    any
	}{{"versions.json", versions}, {"settings.json", n.settings()}, {"status.json", status}, {"health.json", n.Health()}, {"machine.json", n.facts()}, {"membership.json", member}} {
		if err := object(f.name, f.v); err != nil {
			return err
		}
	}
	if err := add("log.txt", []byte(strings.Join(n.lines.Last(logs.MaxLines), "\n")+"\n")); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}

// answer makes what a person at the hub asks for, unless this server's administrator has forbidden it.
func (n *Node) answer(ctx context.Context, o inquiry.Order) ([]byte, error) {
	if !n.cfg.Fleet.AllowInquiries {
		return nil, edgeward.E("node.answer", edgeward.Forbidden, "fleet.inquiry_forbidden", "the administrator of this server gives neither logs nor bundles to the hub").
			WithHint("set fleet.allow_inquiries there, or ask for a bundle by hand: edgeward support bundle FILE")
	}
	var b bytes.Buffer
	if o.What == inquiry.Bundle {
		err := n.Support(ctx, &b)
		return b.Bytes(), err
	}
	z := gzip.NewWriter(&b)
	for _, l := range n.lines.Last(o.Lines) {
		if _, err := z.Write([]byte(l + "\n")); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}
