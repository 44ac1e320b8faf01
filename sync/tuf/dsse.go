package tuf

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"

	"edgeward"
)

// envelope is a DSSE envelope (github.com/secure-systems-lab/dsse, version 1.0.2).
type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     []byte              `json:"payload"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// pae is DSSE's pre-authentication encoding: what is signed.
func pae(payloadType string, payload []byte) []byte {
	b := []byte("DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " ")
	return append(b, payload...)
}

// SignEnvelope puts payload, whose media type is payloadType, into a DSSE envelope signed by k.
func SignEnvelope(payloadType string, payload []byte, k Key) ([]byte, error) {
	b, err := json.Marshal(envelope{payloadType, payload, []envelopeSignature{{k.Public().ID(), k.sign(pae(payloadType, payload))}}})
	return b, edgeward.Wrap("tuf.SignEnvelope", err)
}

// OpenEnvelope returns the payload of an envelope of exactly this type, if one of keys has signed it: else Forbidden
// "fleet.untrusted". limit bounds the payload; an envelope is a third longer.
func OpenEnvelope(b []byte, payloadType string, limit int, keys ...Public) ([]byte, error) {
	const op = "tuf.OpenEnvelope"
	if len(b) > base64.StdEncoding.EncodedLen(limit)+16<<10 {
		return nil, edgeward.E(op, edgeward.TooLarge, "fleet.too_large", "the envelope has %d bytes", len(b))
	}
	var e envelope
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.envelope", "this is no DSSE envelope: %v", err)
	}
	if e.PayloadType != payloadType {
		return nil, edgeward.E(op, edgeward.Invalid, "fleet.envelope", "the envelope holds %.100q, not %s", e.PayloadType, payloadType)
	}
	if len(e.Payload) > limit || len(e.Signatures) > 16 {
		return nil, edgeward.E(op, edgeward.TooLarge, "fleet.too_large", "the envelope's payload has %d bytes", len(e.Payload))
	}
	signed := pae(e.PayloadType, e.Payload)
	for _, s := range e.Signatures {
		if slices.ContainsFunc(keys, func(k Public) bool { return verifySig(k, signed, s.Sig) }) {
			return e.Payload, nil
		}
	}
	return nil, edgeward.E(op, edgeward.Forbidden, "fleet.untrusted", "nobody who may has signed it").
		WithHint("the signatures do not fit; nothing was changed. If it stays so, the hub or the way to it may be in wrong hands")
}
