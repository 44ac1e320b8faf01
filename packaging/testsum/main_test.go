package main

import (
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name, events string
		ok           bool
		want, not    []string
	}{
		{"all pass", `{"Action":"output","Package":"p","Test":"A","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`, true, []string{"ok    p 1.5s\n", "\n1 passed, 0 failed\n"}, []string{"noise", "SKIPPED"}},
		{"some take long", `{"Action":"pass","Package":"p","Test":"A","Elapsed":4.9}
{"Action":"pass","Package":"p","Test":"B","Elapsed":5.25}
{"Action":"pass","Package":"q","Test":"C","Elapsed":71}
{"Action":"pass","Package":"p","Elapsed":10}
`, true, []string{"\nslow  q C 71.0s\nslow  p B 5.2s\n3 passed, 0 failed\n"}, []string{"p A"}},
		{"one fails", `{"Action":"output","Package":"p","Test":"A","Output":"got 1 want 2\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
{"Action":"fail","Package":"p"}
`, false, []string{"got 1 want 2", "FAIL  p", "\n1 passed, 1 failed\n"}, nil},
		{"a package does not compile", `{"ImportPath":"p","Action":"build-output","Output":"x.go:1: no\n"}
{"Action":"pass","Package":"q","Test":"B"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`, false, []string{"x.go:1: no", "\n1 passed, 1 failed\n"}, nil},
		{"a test binary crashes", `{"Action":"output","Package":"p","Test":"A","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}
`, false, []string{"panic: boom", "0 passed, 1 failed\n"}, nil},
		{"a tool is missing", `{"Action":"output","Package":"p","Test":"A","Output":"    need.go:9: SKIPPED-FOR-TOOL mosquitto\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
`, true, []string{"SKIPPED 1: mosquitto\n1 passed, 0 failed\n"}, nil},
		{"hardware is missing", `{"Action":"output","Package":"p","Test":"A","Output":"    need.go:9: SKIPPED-FOR-HARDWARE an NVIDIA GPU: this machine has none\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"B"}
`, true, []string{"SKIPPED 1: an NVIDIA GPU: this machine has none\n1 passed, 0 failed\n"}, nil},
		{"a script speaks of a tool it has", `{"Action":"output","Package":"p","Test":"A","Output":"> [!x] skip 'SKIPPED-FOR-TOOL x'\n"}
{"Action":"pass","Package":"p","Test":"A"}
`, true, []string{"1 passed, 0 failed\n"}, []string{"SKIPPED"}},
		{"nothing ran", "go: no such package\n", false, []string{"go: no such package", "0 passed, 0 failed\n"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			if ok := summarize(strings.NewReader(c.events), &b); ok != c.ok {
				t.Errorf("ok = %v, want %v", ok, c.ok)
			}
			for _, w := range c.want {
				if !strings.Contains(b.String(), w) {
					t.Errorf("no %q in\n%s", w, b.String())
				}
			}
			for _, w := range c.not {
				if strings.Contains(b.String(), w) {
					t.Errorf("%q in\n%s", w, b.String())
				}
			}
		})
	}
}
