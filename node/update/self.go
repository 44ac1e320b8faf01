package update

import (
	"os"
	"sync"

	"edgeward"
)

// self is the digest of this very program, read once.
var self = sync.OnceValues(func() (edgeward.Digest, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer f.Close()
	d, _, err := edgeward.ReadDigest(f)
	return d, err
})
