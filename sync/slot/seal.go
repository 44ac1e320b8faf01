package slot

import (
	"bytes"
	"encoding/json"

	"edgeward"
)

// maxSealed bounds a sealed file.
const maxSealed = 256 << 10

// seal is v as a sealed file.
func seal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(edgeward.DigestOf(b)), '\n'), b...), nil
}

// unseal reads a sealed file into v. What is damaged, cut or too long is an error.
func unseal(b []byte, v any) error {
	sum, rest, ok := bytes.Cut(b, []byte{'\n'})
	if !ok || len(b) > maxSealed || edgeward.Digest(sum) != edgeward.DigestOf(rest) {
		return edgeward.E("slot.unseal", edgeward.Invalid, "update.state", "the file is damaged")
	}
	return json.Unmarshal(rest, v)
}

// parseState reads a state and checks what the rules rely on.
func parseState(b []byte) (State, error) {
	var s State
	if err := unseal(b, &s); err != nil {
		return State{}, err
	}
	bad := func(why string) (State, error) {
		return State{}, edgeward.E("slot.State", edgeward.Invalid, "update.state", "the state is not usable: %s", why)
	}
	known := func(n Name) bool { return n == Installed || n == A || n == B }
	switch {
	case s.Format != format:
		return bad("another format")
	case !known(s.Active) || s.Previous != nil && !known(*s.Previous) || !s.has(s.Active):
		return bad("it names a slot that is not there")
	case s.Trial != nil && (!known(s.Trial.Slot) || !known(s.Trial.From) || s.Trial.Slot == s.Trial.From || !s.has(s.Trial.Slot) || !s.has(s.Trial.From) || s.Trial.Try < 0):
		return bad("its trial makes no sense")
	}
	for _, p := range []Program{s.A, s.B} {
		if p.Digest == "" {
			continue
		}
		if _, err := edgeward.ParseDigest(string(p.Digest)); err != nil {
			return State{}, err
		}
	}
	return s, nil
}
