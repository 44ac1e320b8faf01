package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/config"
	"edgeward/node/keys"
	"edgeward/node/store"
	"edgeward/node/update"
	"edgeward/node/wire"
	"edgeward/runtime/infer"
	"edgeward/runtime/serve"
	"edgeward/sync/slot"
)

// openUpdate makes the part that changes this server's own program.
func (n *Node) openUpdate(context.Context) error {
	n.update = update.New(update.Parts{Dir: slot.At(n.cfg.DataDir, store.File, n.cfg.Update.Window), Supervisor: n.o.Supervisor, Version: n.o.Version, Record: n.store.Record,
		Prove: n.proveProgram, Answering: n.answering, Signed: n.role.SignedProgram, Reached: n.role.Reached, Now: n.now, Log: n.log.With("part", "update")})
	return nil
}

// answering are the endpoints of which some version answers, by the id of their group and their name.
func (n *Node) answering(ctx context.Context) ([]string, error) {
	all, err := n.store.Deployments(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range all {
		if s, ok := n.serve.Status(d.Endpoint.Key()); ok && (s.State == serve.Ready || s.State == serve.Degraded) {
			out = append(out, d.Endpoint.Key().String())
		}
	}
	return out, nil
}

// proofTime bounds a proof: each model is loaded, and by engines that it was not proved by it is proved.
const proofTime = 10 * time.Minute

// proveProgram has a binary prove itself on a copy of what this server has.
func (n *Node) proveProgram(ctx context.Context, path string) (wire.Proof, error) {
	const op = "node.prove"
	var proof wire.Proof
	dir := filepath.Join(n.dir("temp"), "proof")
	if err := os.RemoveAll(dir); err != nil {
		return proof, edgeward.Wrap(op, err)
	}
	defer os.RemoveAll(dir)
	if err := n.likeness(ctx, dir); err != nil {
		return proof, err
	}
	ctx, cancel := context.WithTimeout(ctx, proofTime)
	defer cancel()
	args := []string{"self-test", "--data-dir", dir}
	if n.o.Config.Path != "" {
		args = append(args, "--config", n.o.Config.Path)
	}
	for _, s := range n.o.Config.Settings {
		if s.Source == config.FromFlag && !strings.HasSuffix(s.Key, ".address") && s.Key != "data_dir" {
			args = append(args, "--set", s.Key+"="+s.Value)
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if jerr := json.Unmarshal(out.Bytes(), &proof); jerr != nil || proof.Version == "" {
		said := strings.TrimSpace(errs.String())
		return proof, edgeward.E(op, edgeward.Conflict, "update.unproved", "the binary ended without a word on whether it can run here: %v: %s", errors.Join(err, ctx.Err()), said[max(0, len(said)-300):]).
			WithHint("what runs goes on; get another build")
	}
	return proof, nil
}

// likeness makes dir a data directory like this server's: the store is a copy, what is found by digest is the same.
func (n *Node) likeness(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return edgeward.Wrap("node.likeness", err)
	}
	if _, err := n.store.Backup(ctx, filepath.Join(dir, store.File)); err != nil {
		return err
	}
	for _, name := range []string{"blobs", "native", runtimesDir, "proved", keys.File} {
		if _, err := os.Stat(n.dir(name)); err != nil {
			continue
		}
		if err := os.Symlink(n.dir(name), filepath.Join(dir, name)); err != nil {
			return edgeward.Wrap("node.likeness", err)
		}
	}
	return nil
}

// Prove opens the data directory, which must be a likeness, loads what its endpoints want, and says what came of it. It answers nobody.
func Prove(ctx context.Context, o Options) wire.Proof {
	proof := wire.Proof{Version: o.Version, Store: store.Format, Readable: store.Readable}
	n, err := Open(ctx, o)
	if err == nil {
		defer n.Close()
		proof.Golden, err = n.golden(ctx)
	}
	if err == nil {
		proof.Endpoints, err = n.loadAll(ctx)
	}
	if err != nil {
		proof.Problem = &wire.Trouble{Code: edgeward.CodeOf(err), Text: edgeward.Words(err), Hint: edgeward.HintOf(err)}
	}
	return proof
}

// golden has the built-in model answer, by the engine that answers best.
func (n *Node) golden(ctx context.Context) (bool, error) {
	r, err := infer.Golden("golden")
	if err != nil {
		return false, err
	}
	if _, err := n.workers.infer.Load(ctx, r); err != nil {
		return false, err
	}
	return true, n.workers.infer.Unload(ctx, r.Key)
}

// loadAll loads what the endpoints want, and waits until each is there or cannot be.
func (n *Node) loadAll(parent context.Context) ([]wire.ProvedService, error) {
	all, err := n.store.Deployments(parent)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan error, 1)
	go func() { ended <- n.serve.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	var out []wire.ProvedService
	for _, d := range all {
		if len(d.Spec.Targets) == 0 {
			continue
		}
		s := n.settled(parent, d.Endpoint.Key())
		p := wire.ProvedService{Endpoint: d.Endpoint.Key().String(), State: string(s.State)}
		for _, v := range s.Versions {
			if v.Error != "" && p.Why == "" {
				p.Why = fmt.Sprintf("version %d: %s", v.Version, v.Error)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// settled is an endpoint's status once nothing of it is loading, or as it is when ctx ends.
func (n *Node) settled(ctx context.Context, key serve.Key) serve.Status {
	for {
		s, _ := n.serve.Status(key)
		if s.State != serve.Pending && s.State != "" || ctx.Err() != nil {
			return s
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// warmed waits until the endpoints answer that answered before the process that had these sockets ended: who waits on them is not to be told
// that a model is still loading.
func (n *Node) warmed(parent context.Context) {
	if !n.o.Supervisor.Inherited() {
		return
	}
	ctx, cancel := context.WithTimeout(parent, warmTime)
	defer cancel()
	all, err := n.store.Deployments(ctx)
	if err != nil {
		return // the parts that need it say so
	}
	for _, d := range all {
		if len(d.Spec.Targets) > 0 {
			n.settled(ctx, d.Endpoint.Key())
		}
	}
}

// warmTime is how long clients are left waiting at most, rather than told.
const warmTime = 20 * time.Second

// attend speaks with the supervisor until ctx ends. A server whose supervisor is gone ends: another may be coming.
func (n *Node) attend(ctx context.Context) error {
	if n.o.Supervisor == nil {
		<-ctx.Done()
		return nil
	}
	gone := make(chan struct{})
	go n.o.Supervisor.Run(ctx, func(ctx context.Context) error { return n.store.View(ctx, func(*store.Tx) error { return nil }) }, func() { close(gone) })
	go func() {
		select {
		case <-n.answers:
			n.update.Attend(ctx)
		case <-ctx.Done():
		}
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-gone:
		return edgeward.E("node.attend", edgeward.Unavailable, "update.supervisor", "the supervisor is gone")
	}
}

// Update is the part that changes this server's own program.
func (n *Node) Update() *update.Update { return n.update }
