package worker

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"runtime/debug"
	"sync"
)

// self is this program's own file, also after an update has replaced it on disk: the worker is always the same build as
// its parent unless a test says otherwise.
const self = "/proc/self/exe"

// Build is a digest of what this program was built from: the linker's build id and the module versions and version
// control state recorded in it. It is cheap (no hash over the whole file) and equal for equal builds.
var Build = sync.OnceValue(func() string {
	h := sha256.New()
	if f, err := elf.Open(self); err == nil {
		for _, name := range []string{".note.go.buildid", ".note.gnu.build-id"} {
			if s := f.Section(name); s != nil && s.Size < 1<<16 {
				if b, err := s.Data(); err == nil {
					h.Write(b)
				}
			}
		}
		f.Close()
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		h.Write([]byte(info.String()))
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
})
