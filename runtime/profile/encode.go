package profile

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"edgeward"
)

// MaxEncoded bounds the stored form of a profile in bytes.
const MaxEncoded = 64 << 20

// Encode returns the stored form: JSON with sorted keys, without white space and without HTML escapes. For the strings
// and numbers of a profile this is RFC 8785, except that U+2028 and U+2029 in a category are escaped.
func (p *Profile) Encode() ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, edgeward.Wrap("profile.Encode", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, edgeward.Wrap("profile.Encode", err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil { // maps are written with sorted keys
		return nil, edgeward.Wrap("profile.Encode", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Digest names the profile by its stored form.
func (p *Profile) Digest() (edgeward.Digest, error) {
	b, err := p.Encode()
	if err != nil {
		return "", err
	}
	return edgeward.DigestOf(b), nil
}

// Decode reads the stored form and checks it, so that observing and comparing cannot go out of range. Invalid
// "profile.invalid" when it is none, Conflict "profile.schema" when it is of a newer schema.
func Decode(b []byte) (*Profile, error) {
	if len(b) > MaxEncoded {
		return nil, edgeward.E("profile.Decode", edgeward.TooLarge, "profile.too_large", "profile of %d bytes", len(b))
	}
	var p Profile
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, &edgeward.Error{Op: "profile.Decode", Kind: edgeward.Invalid, Code: "profile.invalid", Err: err}
	}
	if p.Schema > Schema {
		return nil, edgeward.E("profile.Decode", edgeward.Conflict, "profile.schema", "schema %d, this program reads up to %d", p.Schema, Schema).
			WithHint("it was written by a newer release; update this server")
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Check reports the first thing in p that is out of shape.
func (p *Profile) Check() error {
	bad := func(c, why string) error {
		return edgeward.E("profile.Check", edgeward.Invalid, "profile.invalid", "column %.60q: %s", c, why)
	}
	if p.Schema < 1 || p.Rows < 0 || len(p.Columns) > MaxColumns {
		return bad("", "schema, rows or number of columns out of range")
	}
	names := make(map[string]bool, len(p.Columns))
	for i := range p.Columns {
		c := &p.Columns[i]
		if names[c.Name] {
			return bad(c.Name, "twice")
		}
		names[c.Name] = true
		if why := c.check(); why != "" {
			return bad(c.Name, why)
		}
	}
	return nil
}

func (c *Column) check() string {
	switch c.Kind {
	case Numeric, Text:
		if len(c.Categories)+len(c.Others) > 0 {
			return "categories in a column of numbers"
		}
	case Categorical, Boolean:
		if len(c.Edges) > 0 {
			return "edges in a column of categories"
		}
	case Time:
		if len(c.Edges)+len(c.Categories)+len(c.Others) > 0 {
			return "bins in a time column"
		}
	default:
		return "unknown kind"
	}
	if len(c.Edges) > MaxEdges || len(c.Categories) > MaxCategories || len(c.Others) > MaxOther {
		return "too many edges or categories"
	}
	for i, e := range c.Edges {
		if math.IsNaN(e) || math.IsInf(e, 0) || (i > 0 && e <= c.Edges[i-1]) {
			return "edges do not increase"
		}
	}
	if !slices.IsSorted(c.Categories) || !slices.IsSorted(c.Others) || len(slices.Compact(slices.Clone(c.Categories))) != len(c.Categories) {
		return "categories are not sorted or not unique"
	}
	n := &c.Counts
	if len(n.Bins) != c.BinCount() {
		return "wrong number of bins"
	}
	left := n.Count
	for _, v := range append([]int64{n.Missing, n.NonFinite, n.Unseen}, n.Bins...) {
		if v < 0 || v > left {
			return "counts do not add up"
		}
		left -= v
	}
	if c.Kind != Time && left != 0 {
		return "counts do not add up"
	}
	if n.Zeros < 0 || n.Below < 0 || n.Above < 0 || n.Distinct < 0 || max(n.Zeros, n.Below, n.Above, n.Distinct) > n.Count {
		return "counts out of range"
	}
	return ""
}
