package sealed_test

import (
	"bytes"
	"io"
	"testing"

	"edgeward"
	"edgeward/sync/sealed"
)

func TestSealed(t *testing.T) {
	plain := bytes.Repeat([]byte("a hub's keys "), 20000)
	var b bytes.Buffer
	w, err := sealed.Writer(&b, "three words here")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("hub's keys")) {
		t.Error("it is there in clear")
	}
	r, err := sealed.Reader(bytes.NewReader(b.Bytes()), "three words here")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := sealed.Reader(bytes.NewReader(b.Bytes()), "three words hera"); edgeward.CodeOf(err) != "sealed.passphrase" {
		t.Errorf("another passphrase: %v", err)
	}
	if r, err := sealed.Reader(bytes.NewReader(b.Bytes()[:b.Len()-20]), "three words here"); err == nil {
		if _, err := io.ReadAll(r); err == nil {
			t.Error("a file cut short was read whole")
		}
	}
	if _, err := sealed.Writer(io.Discard, "short"); edgeward.CodeOf(err) != "sealed.passphrase" {
		t.Errorf("a short passphrase: %v", err)
	}
}
