package overlay

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// columns are what a list of expected servers may say; any other column is a tag.
var columns = []string{"name", "serial", "machine", "host", "site", "pair", "approve"}

// ParseClaims reads a list of expected servers out of CSV: a header, then one server a line. Columns are name (needed), serial, machine, host, site, pair and
// approve (yes or no); any other is a tag. Empty fields say nothing. Each claim was checked. Error: Invalid "fleet.overlay", with the line.
func ParseClaims(b []byte) (out []Document, err error) {
	if len(b) > MaxBytes {
		return nil, invalid("more than %d bytes", MaxBytes)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, invalid("the list has no header: %v", err)
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(h))
		if slices.Contains(head[:i], head[i]) {
			return nil, invalid("column %.60q stands twice", head[i])
		}
	}
	if !slices.Contains(head, "name") {
		return nil, invalid("the list has no column name").WithHint("columns: %s; any other is a tag", strings.Join(columns, ", "))
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, invalid("%v", err)
		}
		line, _ := r.FieldPos(0) // only of a row that was read: it panics where there is no field
		if len(out) == MaxDocuments {
			return nil, invalid("more than %d servers", MaxDocuments)
		}
		d := Document{Kind: Claim}
		for i, v := range row {
			if v = strings.TrimSpace(v); v == "" {
				continue
			}
			if err := d.fill(head[i], v); err != nil {
				return nil, invalid("line %d: %w", line, err)
			}
		}
		if err := d.Check(); err != nil {
			return nil, invalid("line %d: %w", line, err)
		}
		out = append(out, d)
	}
}

// fill sets a field of a claim by its column.
func (d *Document) fill(column, v string) (err error) {
	switch column {
	case "name":
		d.Name = v
	case "serial":
		d.Serial = v
	case "machine":
		d.Machine = v
	case "host":
		d.Host = v
	case "site":
		d.Site = v
	case "pair":
		d.Pair = v
	case "approve":
		switch strings.ToLower(v) {
		case "yes", "no":
			d.Approve = strings.EqualFold(v, "yes")
		default:
			if d.Approve, err = strconv.ParseBool(v); err != nil {
				return invalid("approve is yes or no, not %.20q", v)
			}
		}
	default:
		if d.Tags == nil {
			d.Tags = map[string]string{}
		}
		d.Tags[column] = v
	}
	return nil
}
