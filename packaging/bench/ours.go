package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgeward/node/client"
)

// ours are the product, the product told to run each request alone, and the least that Go costs.
var ours = []*server{
	{name: edgewardName, bodies: []string{asJSON, asBinary}, body: inference, command: edgeward("joined")},
	{name: aloneName, bodies: []string{asBinary}, body: inference, command: edgeward("alone")},
	{name: floorName, bodies: []string{asJSON, asBinary}, body: inference, command: goFloor},
}

// beside are those of ours that take turns with each peer.
var beside = []*server{ours[0], ours[2]}

// unasked is the product once more, which answers once and is then left alone while the others are measured.
var unasked = &server{name: edgewardName, bodies: []string{asJSON}, body: inference, command: edgeward("joined")}

const (
	edgewardName = "edgeward"
	aloneName    = "edgeward, --max-batch 1"
	floorName    = "the Go floor"
	manyName     = "edgeward, 50 models of 100 trees"
	manyModels   = 50
	untilRight   = "to the first right answer, s"
	eachWords    = ", until each has answered"
	idlePSS      = "PSS of all processes when idle, MiB"
	unaskedWords = ", unasked for 40 s"
	quiet        = 2 * time.Second  // until a server's idle memory is read
	longQuiet    = 40 * time.Second // until that of one that has proved its models is: its proving worker ends after 30 s
)

// edgeward serves a copy of the data directory that prepare has filled: what earlier measurements recorded is not in it.
func edgeward(kind string) func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	return func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
		dir := filepath.Join(home, "data")
		return []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + token}, []string{b.program, "serve", "--data-dir", dir,
			"--http-address", local(port[0]), "--grpc-address", local(port[1]), "--mqtt-address", local(port[2])}, copyTree(dir, b.dataDir(m, kind))
	}
}

// copyTree copies a data directory. The unpacked libraries, which nobody writes, are the same files.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		at := filepath.Join(to, name)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(at, 0o700)
		case !d.Type().IsRegular():
			return nil // a socket
		case strings.HasPrefix(name, "native"+string(filepath.Separator)):
			return os.Link(path, at)
		}
		return copyFile(at, path)
	})
}

func goFloor(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	libs, err := filepath.Glob(filepath.Join(b.dataDir(m, "joined"), "native", "onnxruntime-*", "libonnxruntime.so*"))
	if err != nil || len(libs) == 0 {
		return nil, nil, fmt.Errorf("no ONNX Runtime was unpacked (%v)", err)
	}
	return nil, []string{filepath.Join(b.kept, "floor"), libs[0], m.file, local(port[0])}, nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (b *bench) dataDir(m *model, kind string) string { return filepath.Join(b.kept, m.name+"-"+kind) }

// prepare fills the data directory of the first model with all of them, each behind an endpoint of its name, unless it is
// there from an earlier run.
func (b *bench) prepare(ctx context.Context, kind string, all ...*model) error {
	dir := b.dataDir(all[0], kind)
	mark := filepath.Join(dir, "prepared")
	if _, err := os.Stat(mark); err == nil {
		return nil
	}
	if err := errors.Join(os.RemoveAll(dir), b.fill(ctx, dir, kind == "alone", all)); err != nil {
		return err
	}
	return os.WriteFile(mark, nil, 0o600)
}

func (b *bench) fill(ctx context.Context, dir string, alone bool, all []*model) (err error) {
	p, c, _, err := b.asked(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	for _, m := range all {
		if err := deploy(ctx, c, m.file, m.name); err != nil {
			return err
		}
		if !alone {
			continue
		}
		if _, err := c.UpdateEndpoint(ctx, m.name, client.EndpointChange{MaxBatch: new(1), Reason: "measured without joining"}); err != nil {
			return err
		}
	}
	return nil
}

// deploy imports a file as a version of the model name and has it answer at the endpoint of that name.
func deploy(ctx context.Context, c *client.Client, file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := c.ImportModel(ctx, name, f, client.ModelUpload{Filename: filepath.Base(file), Task: "raw", IntendedUse: "a benchmark"})
	if err != nil {
		return err
	}
	if _, err := c.CreateEndpoint(ctx, client.EndpointRequest{Name: name, Model: name}); err != nil {
		return err
	}
	if _, err := c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: v.Version.Number, Reason: "a benchmark"}); err != nil {
		return err
	}
	_, err = c.AwaitLive(ctx, name, v.Version.Number)
	return err
}
