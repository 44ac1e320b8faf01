package spec

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"edgeward"
)

// codePrefix starts every join code, so that people and scanners know one.
const codePrefix = "ew1-"

// Code is what a person copies from the hub to the new server. It is a secret until it is used or has expired. Its text is
// "ew1-" and the URL-safe base64, without padding, of its JSON.
type Code struct {
	Hubs   []string        `json:"h"` // URLs of the hub, in the order to try: "https://hub.hospital.lan:8443"
	CA     edgeward.Digest `json:"c"` // of the fleet's CA certificate (DER): no other hub is believed
	Root   edgeward.Digest `json:"r"` // of the first root metadata
	ID     string          `json:"i"` // names the code at the hub
	Secret string          `json:"s"`
}

// String is the code as people copy it.
func (c Code) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return codePrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseCode reads a code. White space around it and line breaks within, as mail programs make them, are ignored.
func ParseCode(s string) (Code, error) {
	var c Code
	bad := func() error {
		return edgeward.E("spec.ParseCode", edgeward.Invalid, "fleet.code", "this is no join code").
			WithHint("copy the whole code, from ew1- to its end, out of the hub's page or of edgeward fleet code create")
	}
	s = strings.Join(strings.Fields(s), "")
	raw, ok := strings.CutPrefix(s, codePrefix)
	if !ok || len(s) > MaxCode {
		return c, bad()
	}
	b, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || json.Unmarshal(b, &c) != nil || c.ID == "" || c.Secret == "" || len(c.Hubs) == 0 || len(c.Hubs) > MaxHubs {
		return c, bad()
	}
	for _, d := range []edgeward.Digest{c.CA, c.Root} {
		if _, err := edgeward.ParseDigest(string(d)); err != nil {
			return c, bad()
		}
	}
	for _, h := range c.Hubs {
		if !IsHub(h) {
			return c, bad()
		}
	}
	return c, nil
}

// IsHub reports whether s is an address at which nodes can call a hub, such as "https://hub.hospital.lan:8443".
func IsHub(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// MaxHubs bounds the addresses of a hub in a code or a document.
const MaxHubs = 8

// JoinRequest is what a new server sends with a code. Natural key: (Code, Node). A repetition with the same key gets the same answer.
type JoinRequest struct {
	Format int               `json:"format"`
	Code   string            `json:"code"`   // Code.ID
	Secret string            `json:"secret"` // Code.Secret
	Node   string            `json:"node"`   // the server's own id
	CSR    []byte            `json:"csr"`    // PKCS #10, DER; P-256
	Facts  Facts             `json:"facts"`
	Tags   map[string]string `json:"tags,omitempty"` // that the server asks for; the hub decides
}

// JoinAnswer is the hub's. Pending means that a person must approve; the same request later gets the certificate.
type JoinAnswer struct {
	Format  int      `json:"format"`
	Pending bool     `json:"pending,omitempty"`
	Fleet   string   `json:"fleet,omitempty"`
	Name    string   `json:"name,omitempty"` // of the fleet
	Site    string   `json:"site,omitempty"`
	Chain   [][]byte `json:"chain,omitempty"` // the node's certificate, then the CA's; DER
	Root    []byte   `json:"root,omitempty"`  // the first root metadata
}
