package threats

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/tuf"
)

// raw is the key in a key file, as who stole the file reads it.
func (f *fort) raw(k tuf.Key) ed25519.PrivateKey {
	f.Helper()
	b, err := k.PEM()
	f.ok(err)
	p, _ := pem.Decode(b)
	x, err := x509.ParsePKCS8PrivateKey(p.Bytes)
	f.ok(err)
	return x.(ed25519.PrivateKey)
}

// reseal changes what a signed file says and signs it anew.
func (f *fort) reseal(file []byte, by tuf.Key, change func(signed map[string]any)) []byte {
	f.Helper()
	var x struct {
		Signed map[string]any `json:"signed"`
	}
	d := json.NewDecoder(bytes.NewReader(file))
	d.UseNumber()
	f.ok(d.Decode(&x))
	change(x.Signed)
	signed, err := canonical.JSON(x.Signed)
	f.ok(err)
	signed = bytes.ReplaceAll(signed, []byte(strconv.Itoa(kept)), []byte(strconv.Itoa(highest))) // canonical JSON would round it
	sig := hex.EncodeToString(ed25519.Sign(f.raw(by), signed))
	return fmt.Appendf(nil, `{"signatures":[{"keyid":%q,"sig":%q}],"signed":%s}`, by.Public().ID(), sig, signed)
}

// entry describes a file in the one that lists it.
func entry(b []byte, version int64) map[string]any {
	return map[string]any{"version": json.Number(strconv.FormatInt(version, 10)), "length": json.Number(strconv.Itoa(len(b))), "hashes": map[string]any{"sha256": edgeward.DigestOf(b).Hex()}}
}

func numberOf(file []byte) int64 {
	var x struct {
		Signed struct {
			Version int64 `json:"version"`
		} `json:"signed"`
	}
	_ = json.Unmarshal(file, &x) // of our own files
	return x.Signed.Version
}

// files are what a hub serves of a repository: names with numbers, and timestamp.
type files map[string][]byte

// published are the files as the hub has them now.
func (f *fort) published() files {
	s := f.hub.Fleet().Set
	out := files{"timestamp": s.Timestamp}
	for i, b := range s.Roots {
		out[fmt.Sprint("root/", i+1)] = b
	}
	for name, b := range map[string][]byte{"snapshot": s.Snapshot, "targets": s.Targets, "models": s.Models, "revoked": s.Revoked} {
		if b != nil {
			out[fmt.Sprint(name, "/", numberOf(b))] = b
		}
	}
	return out
}

// sealed is a repository with another models file, and with a snapshot and a timestamp of a higher number (0: a little), signed by the stolen key.
func (f *fort) sealed(models []byte, number int64) files {
	f.Helper()
	if number == 0 {
		number = numberOf(f.hub.Fleet().Set.Timestamp) + 2
	}
	s := f.hub.Fleet().Set
	out := f.published()
	m := numberOf(models)
	out[fmt.Sprint("models/", m)] = models
	name := number
	if number == highest {
		number = kept
	}
	version := func(x map[string]any) { x["version"] = json.Number(strconv.FormatInt(number, 10)) }
	snapshot := f.reseal(s.Snapshot, f.key, func(x map[string]any) {
		version(x)
		x["meta"].(map[string]any)["models.json"] = entry(models, m)
	})
	out[fmt.Sprint("snapshot/", name)] = snapshot
	out["timestamp"] = f.reseal(s.Timestamp, f.key, func(x map[string]any) {
		version(x)
		x["meta"].(map[string]any)["snapshot.json"] = entry(snapshot, number)
	})
	return out
}

// listed is the models file with version n in it, signed by by.
func (f *fort) listed(n int, by tuf.Key) []byte {
	f.Helper()
	_, raw, d, _ := version(n)
	old := f.hub.Fleet().Set.Models
	return f.reseal(old, by, func(x map[string]any) {
		x["version"] = json.Number(strconv.FormatInt(numberOf(old)+1, 10))
		x["targets"].(map[string]any)["models/main/triage/"+d.Hex()] = map[string]any{"length": json.Number(strconv.Itoa(len(raw))), "hashes": map[string]any{"sha256": d.Hex()}, "custom": map[string]any{"epoch": json.Number("1"), "version": json.Number(strconv.Itoa(n))}}
	})
}

// serve answers for the repository, and says whether it was asked for it.
func (x files) serve(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(route(r), "trust/")
	if !ok || r.Method != http.MethodGet {
		return false
	}
	b, ok := x[name]
	if !ok {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		b = []byte(`{"status":404,"code":"fleet.trust.not_found","detail":"no such file"}`)
	}
	_, _ = w.Write(b)
	return true
}

func (f *fort) envelope(d spec.Desired) []byte {
	f.Helper()
	b, err := canonical.JSON(d)
	f.ok(err)
	e, err := tuf.SignEnvelope(spec.PayloadDesired, b, f.key)
	f.ok(err)
	return e
}

// says answers a call for a document with e, if the node has less than rev; else it waits a little, as a hub does.
func says(w http.ResponseWriter, r *http.Request, e []byte, rev uint64) bool {
	if route(r) != "desired" {
		return false
	}
	if have, _ := strconv.ParseUint(r.URL.Query().Get("have"), 10, 64); e == nil || have >= rev {
		select {
		case <-r.Context().Done():
		case <-time.After(300 * time.Millisecond):
		}
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	_, _ = w.Write(e)
	return true
}

// bytesOf answers for the blobs of version n, whoever asks.
func bytesOf(w http.ResponseWriter, r *http.Request, n int) bool {
	hex, ok := strings.CutPrefix(route(r), "blobs/")
	if !ok {
		return false
	}
	_, raw, _, files := version(n)
	for _, b := range append(files, raw) {
		if string(edgeward.DigestOf(b)) == hex {
			_, _ = w.Write(b)
			return true
		}
	}
	return false
}

// highest is the largest number a version can have, and kept what stands for it until the bytes are there.
const (
	highest = math.MaxInt64
	kept    = 1<<53 - 1
)
