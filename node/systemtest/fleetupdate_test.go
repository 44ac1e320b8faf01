package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/node/config"
	"edgeward/node/store"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/slot"
	"edgeward/sync/tuf"
)

// badBinary says all that a program must say before its trial, and then does not serve.
const badBinary = `package main

import (
	"fmt"
	"os"
)

var formats, endpoint string

func main() {
	switch os.Args[1] {
	case "version":
		fmt.Printf("{\"version\":\"99.0.1\",\"formats\":{%s}}", formats)
	case "self-test":
		fmt.Printf("{\"version\":\"99.0.1\",\"golden\":true,\"endpoints\":[{\"endpoint\":%q,\"state\":\"ready\"}]}", endpoint)
	default:
		os.Exit(1)
	}
}
`

// TestFleetUpdatesItsNodes has a real hub roll a signed binary out to a real node that answers clients meanwhile, and then a bad one, which the
// node takes back by itself. No request is lost.
func TestFleetUpdatesItsNodes(t *testing.T) {
	program(t)
	next, err := otherVersion()
	if err != nil {
		t.Fatal(err)
	}
	at := freeAddress(t)
	hubProcess, h := serve(t, dataDir(t), "--set", "fleet.address="+at)
	p, c := serveBy(t, "supervise", dataDir(t), "--set", "fleet.address=off", "--set", "node.name=ward-3")
	url := ends(t, p)
	ctx := within(t, 4*time.Minute)

	root, ann, abe := newKey(t), newKey(t), newKey(t)
	f := foundFleet(t, h, "https://"+at, root, tuf.Charter{Fleet: "programs", Models: both(ann, abe), Release: both(ann, abe)})
	code := must[client.FleetCode](t)(h.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north", Auto: true, Uses: 1, Minutes: 60}))
	must[client.FleetMembership](t)(c.JoinFleet(ctx, code.Text))
	must[client.ImportedVersion](t)(c.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	deployed(t, c, "affine", 1)

	keys := map[string]string{}
	for name, k := range map[string]tuf.Key{"ann": ann, "abe": abe} {
		keys[name] = filepath.Join(t.TempDir(), name+".key")
		if err := k.WriteFile(keys[name], ""); err != nil {
			t.Fatal(err)
		}
	}
	// sign is what a person types.
	sign := func(path, by string) client.Binary {
		t.Helper()
		cmd := exec.CommandContext(ctx, program(t), "fleet", "binary", "sign", path, "--key", keys[by], "--pin", string(f.Pin), "--yes", "--node", listensAt(hubProcess))
		cmd.Env = environ(config.EnvToken + "=" + bootstrap)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s does not sign: %v: %s", by, err, out)
		}
		d, n, err := edgeward.ReadDigest(bytes.NewReader(must[[]byte](t)(os.ReadFile(path))))
		if err != nil {
			t.Fatal(err)
		}
		return client.Binary{Digest: d, Length: n}
	}
	start := func(r client.Binary) (client.Rollout, error) {
		return h.StartRollout(ctx, client.RolloutRequest{Binary: r.Digest, Reason: "a test", Plan: rollout.Plan{Waves: []rollout.Wave{{Nodes: 1}}}})
	}
	ended := func(x client.Rollout) client.Rollout {
		t.Helper()
		eventually(t, 2*time.Minute, "the rollout ends", func() bool {
			got, err := h.Rollout(ctx, x.ID)
			if err == nil {
				x = got
			}
			return err == nil && x.State.Final()
		})
		return x
	}
	end := underLoad(t, url)

	good := sign(next, "ann")
	if _, err := start(good); edgeward.CodeOf(err) != "fleet.release_unsigned" {
		t.Errorf("signed by one: %v", err)
	}
	if _, err := c.TakeUpdate(ctx, good.Digest, good.Length, "a test", strings.NewReader("")); edgeward.CodeOf(err) != "fleet.release_unsigned" {
		t.Errorf("a person of the node gives it what one has signed: %v", err)
	}
	sign(next, "abe")
	if l, err := h.Binaries(ctx); err != nil || len(l) != 1 || l[0].Version != "99.0.0" || l[0].Store != store.Format || l[0].Libc == "" {
		t.Errorf("%+v %v", l, err)
	}
	x := ended(must[client.Rollout](t)(start(good)))
	s := must[client.Update](t)(c.Update(ctx))
	if x.State != rollout.Succeeded || s.Version != "99.0.0" || !s.Signed || s.Last == nil || s.Last.Result != slot.Committed {
		t.Fatalf("%s %s; %+v %+v", x.State, x.Why, s, s.Last)
	}
	t.Logf("the rollout of a good one took %s", x.Since.Sub(x.Created).Round(100*time.Millisecond))

	key := must[client.Me](t)(c.Me(ctx)).GroupID + "/affine"
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad+".go", []byte(badBinary), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", bad, "-ldflags", fmt.Sprintf(`-X 'main.formats="store":%d,"store_readable":%d' -X main.endpoint=%s`, store.Format, store.Readable, key), bad+".go")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sign(bad, "ann")
	x = ended(must[client.Rollout](t)(start(sign(bad, "abe"))))
	if x.State != rollout.RolledBack || x.Code != "rollout.failed" {
		t.Fatalf("%s %s", x.State, x.Why)
	}
	t.Logf("that of a bad one, until the node was back, %s", x.Since.Sub(x.Created).Round(100*time.Millisecond))
	s = must[client.Update](t)(c.Update(ctx))
	if s.Version != "99.0.0" || s.Last.Result != slot.Reverted || s.Last.Code != "update.exits" || s.Last.To.Version != "99.0.1" {
		t.Fatalf("%+v %+v", s, s.Last)
	}
	end()
	eventually(t, 30*time.Second, "the node stands as the fleet wants it", func() bool {
		m, err := c.FleetMembership(ctx)
		return err == nil && slices.ContainsFunc(m.Items, func(s spec.State) bool { return s.Key().Binary() && s.Phase == spec.Committed && s.Live == good.Digest })
	})
}
