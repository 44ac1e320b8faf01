package update

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/sync/slot"
)

// Take puts a binary into the free slot. Its bytes have the digest and the size that were said, it is for this machine, and the fleet's persons have
// signed it if this server is of a fleet. Nothing of it has been started but its own word on its version.
func (u *Update) Take(ctx context.Context, by auth.Principal, d edgeward.Digest, size int64, reason string, r io.Reader) (wire.Update, error) {
	if _, err := u.state(); err != nil {
		return wire.Update{}, err
	}
	release, err := u.take()
	if err != nil {
		return wire.Update{}, err
	}
	defer release()
	if u.p.Signed != nil {
		if _, err := u.p.Signed(ctx, runtime.GOOS, runtime.GOARCH, d); err != nil { // before any byte
			u.refused(ctx, by, reason, slot.Program{Digest: d}, err)
			return wire.Update{}, err
		}
	}
	p := slot.Program{Digest: d, Size: size}
	_, err = u.p.Dir.Stage(r, p, func(path string, q slot.Program) (slot.Program, error) {
		var err error
		p, err = Look(ctx, path, q)
		return p, err
	})
	if err != nil {
		u.refused(ctx, by, reason, p, err)
		return wire.Update{}, err
	}
	u.event(ctx, by, "update.staged", reason, p, nil)
	u.enter(Idle, nil)
	return u.Status(ctx)
}

// Look says of a binary whether it can run on this machine, and what it calls itself.
func Look(ctx context.Context, path string, p slot.Program) (slot.Program, error) {
	const op = "update.Look"
	if err := fits(path); err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "--json")
	cmd.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin"}
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &limited{b: &out}, &limited{b: &errs}
	if err := cmd.Run(); err != nil {
		return p, edgeward.E(op, edgeward.Invalid, "update.not_runnable", "the binary does not run on this machine: %v: %s", err, lastLine(errs.String())).
			WithHint("take the build for this machine; a data directory that is mounted noexec cannot hold programs")
	}
	var v struct {
		Version  string         `json:"version"`
		Platform string         `json:"platform"`
		Formats  map[string]int `json:"formats"`
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || v.Version == "" || v.Formats["store"] < 1 {
		return p, edgeward.E(op, edgeward.Invalid, "update.foreign", "the file is a program, but no edgeward that can be updated to").WithHint("give a binary of edgeward")
	}
	p.Version, p.Writes, p.Reads = v.Version, v.Formats["store"], v.Formats["store_readable"]
	return p, nil
}

// limited takes what a program says up to a bound.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > 1<<20 {
		return 0, errors.New("it says too much")
	}
	return l.b.Write(p)
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return clip(lines[len(lines)-1])
}

// fits looks at the file's own headers.
func fits(path string) error {
	const op = "update.fits"
	f, err := os.Open(path)
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	defer f.Close()
	arch, _, err := Needs(f)
	if err == nil && arch != runtime.GOARCH {
		err = edgeward.E(op, edgeward.Invalid, "update.platform", "the binary is not for this machine, %s/%s", runtime.GOOS, runtime.GOARCH).WithHint("take the build for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	return err
}
