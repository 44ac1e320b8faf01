package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"edgeward"
	"edgeward/node"
	"edgeward/runtime/native"
	"edgeward/runtime/worker"
)

func TestMain(m *testing.M) {
	worker.Dispatch(node.Kinds()) // the servers of the scripts start their workers as this program
	testscript.Main(m, map[string]func(){"edgeward": main})
}

// TestScripts runs testdata/script: one file per command. Beside testscript's own words there are
// "exitcode N command…", which wants exactly that exit code, "save VARIABLE JSONPATH", which keeps a value of the last
// output, and the condition [built], true where make build ran. Each script has a data directory of its own, $WORK/d,
// which every command finds through the environment and where the native libraries lie unpacked, $FLEET, an address for a hub, testdata/visits.csv, daily visits of two wards, scene.onnx, a model that
// takes colour pictures, and photo.png, one of them.
func TestScripts(t *testing.T) {
	built := len(native.Sets()) > 0
	if _, err := readLicences(nil); err != nil {
		built = false
	}
	unpacked := unpack(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			if cond == "built" {
				if !built && os.Getenv("EDGEWARD_REQUIRE_ALL") == "1" {
					return false, errors.New("run make build first")
				}
				return built, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", cmp.Or(os.Getenv("GORACE"), "atexit_sleep_ms=0")) // else each command lives a second longer
			e.Setenv("EDGEWARD_DATA_DIR", filepath.Join(e.WorkDir, "d"))
			e.Setenv("EDGEWARD_HTTP_ADDRESS", "127.0.0.1:0")
			e.Setenv("EDGEWARD_MQTT_ADDRESS", "127.0.0.1:0")
			e.Setenv("EDGEWARD_GRPC_ADDRESS", "127.0.0.1:0")
			e.Setenv("EDGEWARD_BOOTSTRAP_TOKEN", "a-token-for-tests-only-0123")
			fleet, err := freeAddress()
			if err != nil {
				return err
			}
			e.Setenv("FLEET", fleet)
			if err := errors.Join(os.Mkdir(filepath.Join(e.WorkDir, "d"), 0o700), os.Symlink(unpacked, filepath.Join(e.WorkDir, "d", "native"))); err != nil {
				return err
			}
			csv, err := os.ReadFile("testdata/visits.csv")
			if err != nil {
				return err
			}
			model, err := os.ReadFile("../../runtime/engine/enginetest/testdata/scene.onnx")
			if err != nil {
				return err
			}
			var photo bytes.Buffer
			return errors.Join(png.Encode(&photo, image.NewGray(image.Rect(0, 0, 24, 20))), os.WriteFile(filepath.Join(e.WorkDir, "photo.png"), photo.Bytes(), 0o600),
				os.WriteFile(filepath.Join(e.WorkDir, "scene.onnx"), model, 0o600), os.WriteFile(filepath.Join(e.WorkDir, "visits.csv"), csv, 0o600))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitcode, "save": save},
	})
}

// unpack is a folder with the native libraries, which the servers in $WORK/d need not unpack again. Those of other directories do.
func unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, s := range native.Sets() {
		if _, err := native.Open(dir).Locate(t.Context(), s.Name); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func exitcode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N command [args]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// save keeps the value at a dotted path of the JSON document that the last command printed in a variable.
func save(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: save VARIABLE path.to.value")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for key := range strings.SplitSeq(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			ts.Check(err)
			if i >= len(x) {
				ts.Fatalf("%s: only %d items", args[1], len(x))
			}
			v = x[i]
		}
	}
	if v == nil {
		ts.Fatalf("%s: nothing there", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{edgeward.E("x", edgeward.Invalid, "x", "x"), 2},
		{edgeward.E("x", edgeward.Unauthenticated, "x", "x"), 4},
		{edgeward.E("x", edgeward.NotFound, "x", "x"), 5},
		{edgeward.Wrap("y", edgeward.E("x", edgeward.Conflict, "x", "x")), 6},
		{edgeward.E("x", edgeward.Forbidden, "x", "x"), 7},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), 8},
		{edgeward.E("x", edgeward.Unavailable, "x", "x"), 9},
		{edgeward.E("x", edgeward.TooLarge, "x", "x"), 1},
		{edgeward.E("x", edgeward.Exhausted, "x", "x"), 1},
		{edgeward.E("x", edgeward.Unknown, "x", "x"), 1},
		{context.Canceled, 130},
		{partly("one of two"), 3},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
		if !strings.Contains(exitCodes, fmt.Sprintf("\n  %d ", c.want)) {
			t.Errorf("help does not speak of exit code %d", c.want)
		}
	}
}

// TestEveryCommandIsFinished holds for all commands to come: each has words for help and, if it prints a result, --json.
func TestEveryCommandIsFinished(t *testing.T) {
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	scripts, err := os.ReadDir("testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short is %q; want one line without a full stop", c.Name(), c.Short)
		}
		if !slices.ContainsFunc(scripts, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), c.Name()) }) {
			t.Errorf("%s: no testdata/script/%s.txtar", c.Name(), c.Name())
		}
	}
}
