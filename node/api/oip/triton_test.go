package oip_test

import (
	"os/exec"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
)

// TestTritonClient asks by the client that people use, in Python.
func TestTritonClient(t *testing.T) {
	python := needtest.Python(t, "tritonclient", "geventhttpclient", "aiohttp", "numpy")
	s := start(t)
	out, err := exec.CommandContext(t.Context(), python, "testdata/triton.py", strings.TrimPrefix(s.URL, "http://")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
