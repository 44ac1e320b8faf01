package worker

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"edgeward"
)

func TestAnotherBuildIsRefusedClearly(t *testing.T) {
	o := Options{Kind: "test"}
	o.build = "0123456789ab"
	w := New(o)
	defer w.Close()
	_, err := w.Call(context.Background(), "echo", nil, nil)
	if edgeward.CodeOf(err) != "worker.build" || edgeward.HintOf(err) == "" || !strings.Contains(err.Error(), "0123456789ab") {
		t.Errorf("error %v, hint %q", err, edgeward.HintOf(err))
	}
}

func TestTailKeepsTheCauseAndTheLastLines(t *testing.T) {
	tl := &tail{log: Options{}.withDefaults().Log}
	fmt.Fprint(tl, "harmless\npanic: the first word\n", strings.Repeat("goroutine noise\n", 50), strings.Repeat("x", 2000), "\nhalf a li")
	fmt.Fprint(tl, "ne")
	tl.flush()
	l := tl.last()
	if tl.cause() != "panic: the first word" || len(l) != tailLines || l[tailLines-1] != "half a line" || len(l[tailLines-2]) != tailWidth {
		t.Errorf("cause %q, %d lines, last %q", tl.cause(), len(l), l[len(l)-1])
	}
}

func FuzzReadFrame(f *testing.F) {
	seed := func(k kind, body string) []byte {
		var h [headerSize]byte
		h[0], h[4], h[8] = byte(len(body)), byte(k), 7
		return append(h[:], body...)
	}
	f.Add(seed(kindCall, string(callHead("echo"))+"body"))
	f.Add(seed(kindResult, ""))
	f.Add(seed(9, "x"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &wire{in: bufio.NewReader(bytes.NewReader(b)), max: 1 << 12}
		for {
			fr, err := w.read()
			if err != nil {
				return
			}
			if len(fr.body) > w.max || fr.left < 0 {
				t.Fatalf("frame %+v", fr)
			}
			if m, body, err := splitCall(fr.body); err == nil && len(m)+len(body) > len(fr.body) {
				t.Fatalf("method %q and %d bytes out of %d", m, len(body), len(fr.body))
			}
		}
	})
}
