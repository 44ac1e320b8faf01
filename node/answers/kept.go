package answers

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"edgeward"
	"edgeward/sync/disk"
)

// KeptFile is where the settings that were answered are kept, in the data directory.
const KeptFile = "answers.json"

// Keep keeps the settings of a.
func (a *Answers) Keep(dataDir string) error {
	b, err := json.MarshalIndent(a.Values(), "", "  ")
	if err != nil {
		return edgeward.Wrap("answers.Keep", err)
	}
	path := filepath.Join(dataDir, KeptFile)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(b) {
		return nil
	}
	return disk.WriteFile(path, b, 0o600)
}

// Kept are the settings that were answered once; none if nothing ever was.
func Kept(dataDir string) (map[string]any, error) {
	path := filepath.Join(dataDir, KeptFile)
	b, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out map[string]any
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return nil, edgeward.E("answers.Kept", edgeward.Invalid, "answers.unreadable", "%s: %w", path, err).With("path", path).WithHint("remove it, and start once more with the answers file")
	}
	return out, nil
}
