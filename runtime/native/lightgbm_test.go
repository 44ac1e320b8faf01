package native_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ebitengine/purego"

	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
)

// childEnv holds, in a child of this test binary, the two libraries to load as JSON.
const childEnv = "EDGEWARD_TEST_LOAD_LIGHTGBM"

func TestMain(m *testing.M) {
	if job := os.Getenv(childEnv); job != "" {
		if err := loadLightGBM(job); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type lightgbmJob struct{ Gomp, LightGBM string }

// loadLightGBM runs in its own mount namespace: it hides every libgomp of the system, proves that the loader finds
// none, and then opens ours and LightGBM.
func loadLightGBM(raw string) error {
	var job lightgbmJob
	if err := json.Unmarshal([]byte(raw), &job); err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	for _, dir := range []string{"/lib/*", "/usr/lib/*", "/lib64", "/usr/lib64", "/usr/local/lib", "/lib", "/usr/lib"} {
		found, err := filepath.Glob(dir + "/libgomp.so*")
		if err != nil {
			return err
		}
		for _, p := range found {
			if err := syscall.Mount("/dev/null", p, "", syscall.MS_BIND, ""); err != nil {
				return fmt.Errorf("hide %s: %w", p, err)
			}
		}
	}
	if _, err := purego.Dlopen("libgomp.so.1", purego.RTLD_NOW); err == nil {
		return fmt.Errorf("the system's libgomp is still found")
	}
	if _, err := purego.Dlopen(job.LightGBM, purego.RTLD_NOW|purego.RTLD_LOCAL); err == nil {
		return fmt.Errorf("LightGBM loads without any libgomp: this test proves nothing")
	}
	if _, err := purego.Dlopen(job.Gomp, purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
		return err
	}
	lib, err := purego.Dlopen(job.LightGBM, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	var maxThreads func(out *int32) int32
	purego.RegisterLibFunc(&maxThreads, lib, "LGBM_GetMaxThreads")
	var n int32
	if rc := maxThreads(&n); rc != 0 {
		return fmt.Errorf("LGBM_GetMaxThreads answers %d", rc)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	for s := bufio.NewScanner(maps); s.Scan(); {
		if _, path, ok := strings.Cut(s.Text(), "/"); ok && strings.Contains(path, "libgomp") {
			fmt.Println("/" + path)
		}
	}
	return nil
}

// TestLightGBMLoadsWhereTheSystemHasNoLibgomp needs the right to make a mount namespace, by root or by a user namespace.
func TestLightGBMLoadsWhereTheSystemHasNoLibgomp(t *testing.T) {
	packed(t)
	at := locate(t, t.TempDir(), native.LightGBM)
	job, err := json.Marshal(lightgbmJob{Gomp: at.Files["libgomp.so.1"], LightGBM: at.Files["lib_lightgbm.so"]})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(job))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil || strings.Contains(stderr.String(), "operation not permitted") {
		needtest.Missing(t, "mount-namespace")
	}
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if line != at.Files["libgomp.so.1"] {
			t.Errorf("mapped %q; want only %s", line, at.Files["libgomp.so.1"])
		}
	}
}
