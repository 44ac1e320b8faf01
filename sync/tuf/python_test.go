package tuf_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/sync/tuf"
)

// TestAnIndependentClientAgrees lets python-tuf, the reference implementation, follow our repository as a node would: through a
// change of every key, to a target, and into refusals of what our own verifier refuses.
func TestAnIndependentClientAgrees(t *testing.T) {
	python := needtest.Python(t, "tuf", "securesystemslib", "cryptography")
	p := found(t)
	old := p.model(1, 1)
	first := p.set
	oldBob := p.bob
	p.dan, p.bob, p.hub = someone(t, "Dana"), someone(t, "Bea"), someone(t, "hub").key
	p.amend(p.ada, oldBob, p.bob, p.cem, p.dan)
	middle := p.set
	p.now = p.now.Add(day)
	v2 := p.model(2, 2)
	prop, err := tuf.Revoke(p.set, []tuf.Revocation{{Digest: old.Digest, Reason: `a "quoted" reason, größer`}}, p.now)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(prop, p.cem)
	manifest := []byte("manifest2")
	if edgeward.DigestOf(manifest) != v2.Digest || int64(len(manifest)) != v2.Length {
		t.Fatal("the target is not the manifest")
	}

	serving := p.set
	versioned := regexp.MustCompile(`^/metadata/(\d+)\.([a-z]+)\.json$`)
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := ""
		if m := versioned.FindStringSubmatch(r.URL.Path); m != nil {
			name = m[2] + "/" + m[1]
		} else if r.URL.Path == "/metadata/timestamp.json" {
			name = "timestamp"
		}
		if b, ok := serving.File(name); ok {
			w.Write(b)
		} else if strings.HasSuffix(r.URL.Path, v2.Digest.Hex()) && strings.HasPrefix(r.URL.Path, "/targets/") {
			w.Write(manifest)
		} else {
			http.NotFound(w, r)
		}
	}))
	defer hub.Close()
	dir := t.TempDir()
	script := filepath.Join(dir, "client.py")
	if err := os.WriteFile(script, []byte(pythonClient), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) map[string]any {
		t.Helper()
		home := filepath.Join(dir, name)
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, "pinned"), first.Roots[0], 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), python, script, home, hub.URL, p.now.Format("2006-01-02T15:04:05"), v2.Path(), "revoked/"+old.Digest.Hex(), "models/default/digits/none")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var answer map[string]any
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return answer
	}
	got := ask("good")
	if got["error"] != nil || got["root"] != float64(len(p.set.Roots)) || got["bytes"] != "manifest2" || got["custom"].(map[string]any)["epoch"] != float64(2) || got["reason"] != `a "quoted" reason, größer` || got["none"] != true {
		t.Errorf("python-tuf: %v", got)
	}
	// What our verifier refuses, it refuses: the same client is then shown the repository as it was.
	serving = middle
	if got := ask("good"); got["error"] != "BadVersionNumberError" {
		t.Errorf("python-tuf takes an old repository: %v", got)
	}
	serving.Roots = p.set.Roots
	serving.Timestamp, serving.Snapshot = first.Timestamp, first.Snapshot
	if got := ask("good"); got["error"] != "UnsignedMetadataError" {
		t.Errorf("python-tuf takes files of the hub's old key: %v", got)
	}
	serving = tuf.Forged(t, p.set, p.hub, p.now, version(3, 3), p.hub)
	if got := ask("fresh"); got["error"] != "UnsignedMetadataError" {
		t.Errorf("python-tuf takes what the hub signed alone: %v", got)
	}
}

// TestAnIndependentEnvelope holds our envelopes against securesystemslib's, both ways.
func TestAnIndependentEnvelope(t *testing.T) {
	python := needtest.Python(t, "securesystemslib", "cryptography")
	k := someone(t, "hub").key
	ours, err := tuf.SignEnvelope("application/x+json", []byte(`{"ü":1}`), k)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", pythonEnvelope, string(ours), string(pem))
	cmd.Stderr = os.Stderr
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	b, err := tuf.OpenEnvelope(theirs, "a/b", 100, k.Public())
	if err != nil || string(b) != "theirs" {
		t.Errorf("%q, %v", b, err)
	}
}

const pythonEnvelope = `
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner
signer = CryptoSigner(load_pem_private_key(sys.argv[2].encode(), None))
data = json.loads(sys.argv[1])
signer.public_key.keyid = data["signatures"][0]["keyid"]
ours = Envelope.from_dict(data)
ours.verify([signer.public_key], 1)
assert ours.payload == '{"ü":1}'.encode(), ours.payload
theirs = Envelope(b"theirs", "a/b", {})
theirs.sign(signer)
print(json.dumps(theirs.to_dict()))
`

const pythonClient = `
import datetime, json, os, sys
home, url, now, target, revoked, none = sys.argv[1:7]
from tuf.ngclient import Updater

answer = {}
os.makedirs(home + "/meta", exist_ok=True)
os.makedirs(home + "/targets", exist_ok=True)
try:
    u = Updater(metadata_dir=home + "/meta", metadata_base_url=url + "/metadata/", target_dir=home + "/targets", target_base_url=url + "/targets/",
                bootstrap=open(home + "/pinned", "rb").read())
    u._trusted_set.reference_time = datetime.datetime.fromisoformat(now).replace(tzinfo=datetime.timezone.utc)
    u.refresh()
    answer["root"] = u._trusted_set.root.version
    info = u.get_targetinfo(target)
    if info:
        answer["custom"] = info.unrecognized_fields["custom"]
        answer["bytes"] = open(u.download_target(info), "rb").read().decode()
    info = u.get_targetinfo(revoked)
    if info:
        answer["reason"] = info.unrecognized_fields["custom"]["reason"]
    answer["none"] = u.get_targetinfo(none) is None
except Exception as e:
    answer["error"] = type(e).__name__
    answer["text"] = str(e)
print(json.dumps(answer))
`
