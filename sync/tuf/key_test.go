package tuf_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
	"edgeward/sync/tuf"
)

func noPhrase() (string, error) { return "", errors.New("asked for a passphrase") }

func phrase(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func TestKeyFiles(t *testing.T) {
	tuf.CheapScrypt(t)
	dir := t.TempDir()
	k := someone(t, "Ada").key
	plain, locked := filepath.Join(dir, "ada.key"), filepath.Join(dir, "locked.key")
	if err := k.WriteFile(plain, ""); err != nil {
		t.Fatal(err)
	}
	if err := k.WriteFile(locked, "four words are best"); err != nil {
		t.Fatal(err)
	}
	for path, ask := range map[string]func() (string, error){plain: noPhrase, locked: phrase("four words are best")} {
		st, err := os.Stat(path)
		if err != nil || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
		if got, err := tuf.ReadKey(path, ask); err != nil || got.Public() != k.Public() {
			t.Errorf("%s: %v", path, err)
		}
		want(t, "over an old key", k.WriteFile(path, ""), "fleet.key_exists")
	}
	if b, _ := os.ReadFile(locked); strings.Contains(string(b), "PRIVATE KEY") || !strings.HasPrefix(string(b), "-----BEGIN AGE ENCRYPTED FILE-----") {
		t.Errorf("the locked file: %.60s", b)
	}
	_, err := tuf.ReadKey(locked, phrase("four words are worst"))
	want(t, "a wrong passphrase", err, "fleet.passphrase")
	want(t, "a short passphrase", k.WriteFile(filepath.Join(dir, "short"), "short"), "fleet.passphrase")
	if _, err := tuf.ReadKey(locked, noPhrase); err == nil {
		t.Error("opened without a passphrase")
	}
	if _, err := os.Stat(filepath.Join(dir, "short")); err == nil {
		t.Error("a refused key left a file")
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, _ := k.PEM()
	damaged, _ := os.ReadFile(locked)
	for path, code := range map[string]string{
		filepath.Join(dir, "none"):                                      "fleet.key",
		write("open", string(good), 0o644):                              "fleet.key_open",
		write("group", string(good), 0o640):                             "fleet.key_open",
		write("junk", "junk", 0o600):                                    "fleet.key",
		write("empty", "", 0o600):                                       "fleet.key",
		write("large", strings.Repeat("\n", 20000)+string(good), 0o600): "fleet.key",
		write("cut", string(damaged[:200]), 0o600):                      "fleet.passphrase",
		write("ec", ecKey, 0o600):                                       "fleet.key",
	} {
		_, err := tuf.ReadKey(path, phrase("four words are best"))
		want(t, filepath.Base(path), err, code)
	}
}

// ecKey is a P-256 key: good PEM, another algorithm.
const ecKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
`

// TestOpenSSLReadsAKeyFile: the file is no format of our own.
func TestOpenSSLReadsAKeyFile(t *testing.T) {
	openssl := needtest.Tool(t, "openssl")[0]
	path := filepath.Join(t.TempDir(), "ada.key")
	if err := someone(t, "Ada").key.WriteFile(path, ""); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), openssl, "pkey", "-in", path, "-noout", "-text").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ED25519 Private-Key") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPublicKeys(t *testing.T) {
	ada := someone(t, "Ada").Key
	if got, err := tuf.ParsePublic("  " + string(ada) + "\n"); err != nil || got != ada || len(ada.ID()) != 64 {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "ed25519:", string(ada[:50]), string(ada) + "A", "rsa:" + string(ada[8:]), strings.ToUpper(string(ada)), "ed25519:" + strings.Repeat("=", 43)} {
		_, err := tuf.ParsePublic(s)
		want(t, s, err, "fleet.public_key")
	}
	if tuf.Public("").ID() == "" || (tuf.Key{}).Public() != "" {
		t.Error("the zero key")
	}
}
