package query

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"edgeward"
)

// Bounds of what is read.
const (
	MaxColumns = 4096
	MaxRows    = 100_000_000
	maxLine    = 4 << 20   // bytes of one CSV line
	sampleSize = 256 << 10 // bytes looked at to find the dialect
)

// dialect is how a CSV file is written. DuckDB guesses too, but from rows; ours is decided by few stated rules, so that a
// file that breaks them is refused with its line and never read differently.
type dialect struct {
	delimiter byte
	encoding  string // utf-8, utf-16 or latin-1
	header    bool   // the first line holds names
	names     []string
	notes     []string // names that were changed
}

// readDialect looks at the file at path: the encoding from all of its bytes, the rest from its first lines.
func readDialect(path string) (dialect, error) {
	f, err := os.Open(path)
	if err != nil {
		return dialect{}, edgeward.Wrap("query.readDialect", err)
	}
	defer f.Close()
	var d dialect
	sample, err := readSample(f, &d)
	if err != nil {
		return dialect{}, err
	}
	if err := d.decide(sample); err != nil {
		return dialect{}, err
	}
	return d, nil
}

func readSample(f *os.File, d *dialect) ([]byte, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	head, _ := r.Peek(2)
	if bytes.Equal(head, []byte{0xff, 0xfe}) || bytes.Equal(head, []byte{0xfe, 0xff}) {
		d.encoding = "utf-16"
		b, err := io.ReadAll(io.LimitReader(r, 2*sampleSize))
		return decodeUTF16(b), err
	}
	d.encoding = "utf-8"
	var sample, rest []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := r.Read(buf)
		b := buf[:n]
		if bytes.IndexByte(b, 0) >= 0 {
			return nil, edgeward.E("query.readDialect", edgeward.Invalid, "dataset.corrupt", "a zero byte in a text file").
				WithHint("the file is damaged or no CSV file")
		}
		if len(sample) < sampleSize {
			sample = append(sample, b[:min(n, sampleSize-len(sample))]...)
		}
		if d.encoding == "utf-8" {
			if rest = invalidTail(append(rest, b...), err == io.EOF); rest == nil {
				d.encoding = "latin-1"
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, edgeward.Wrap("query.readDialect", err)
		}
	}
	if d.encoding == "latin-1" {
		sample = []byte(latin1(sample))
	}
	return bytes.TrimPrefix(sample, []byte("\xef\xbb\xbf")), nil
}

// invalidTail returns the bytes at the end of b that may begin a rune, or nil when b is not UTF-8.
func invalidTail(b []byte, last bool) []byte {
	for i := max(0, len(b)-utf8.UTFMax+1); i < len(b) && !last; i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			if utf8.Valid(b[:i]) {
				return bytes.Clone(b[i:])
			}
			return nil
		}
	}
	if !utf8.Valid(b) {
		return nil
	}
	return []byte{}
}

func decodeUTF16(b []byte) []byte {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = uint16(b[2*i]) | uint16(b[2*i+1])<<8
	}
	if len(u) > 0 && u[0] == 0xfffe {
		for i, x := range u {
			u[i] = x<<8 | x>>8
		}
	}
	return []byte(strings.TrimPrefix(string(utf16.Decode(u)), "\ufeff"))
}

func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, x := range b {
		r[i] = rune(x)
	}
	return string(r)
}

// decide finds delimiter and header from the beginning of the text: the delimiter that splits the first lines into the
// same number of at least two fields, the largest such number; one column if none does.
func (d *dialect) decide(sample []byte) error {
	if len(bytes.TrimSpace(sample)) == 0 {
		return edgeward.E("query.readDialect", edgeward.Invalid, "dataset.empty", "the file has no rows").WithHint("a CSV file has a header line and one line per row")
	}
	best := 0
	d.delimiter = ','
	var rows [][]string
	for _, c := range []byte{',', ';', '\t', '|'} {
		got := splitLines(string(sample), c, 50)
		if len(got) == 0 {
			continue
		}
		n := len(got[0])
		for _, r := range got[1:] {
			if len(r) != n {
				n = min(n, 2) // uneven: better than one column, worse than any even split
				break
			}
		}
		if n > best || rows == nil {
			best, d.delimiter, rows = n, c, got
		}
	}
	if len(rows) == 0 {
		return edgeward.E("query.readDialect", edgeward.TooLarge, "dataset.corrupt", "the first line has no end within %d bytes", len(sample)).
			WithHint("a quote is open, or this is no CSV file")
	}
	if len(rows[0]) > MaxColumns {
		return edgeward.E("query.readDialect", edgeward.TooLarge, "dataset.columns", "%d columns; at most %d", len(rows[0]), MaxColumns)
	}
	d.header = isHeader(rows)
	if !d.header {
		d.names = cleanNames(make([]string, len(rows[0])))
		return nil
	}
	if err := twice("query.readDialect", rows[0]); err != nil {
		return err
	}
	d.names = cleanNames(rows[0])
	d.notes = renamed(rows[0], d.names)
	return nil
}

// splitLines parses the first lines of s in the RFC 4180 way; a line that the sample cuts off is left out.
func splitLines(s string, delimiter byte, most int) [][]string {
	var rows [][]string
	var row []string
	var cell strings.Builder
	quoted, i := false, 0
	for ; i < len(s) && len(rows) < most; i++ {
		c := s[i]
		switch {
		case quoted && c == '"' && i+1 < len(s) && s[i+1] == '"':
			cell.WriteByte('"')
			i++
		case quoted && c == '"':
			quoted = false
		case quoted:
			cell.WriteByte(c)
		case c == '"' && cell.Len() == 0:
			quoted = true
		case c == delimiter:
			row = append(row, cell.String())
			cell.Reset()
		case c == '\n' || c == '\r':
			if c == '\r' && i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			if row != nil || cell.Len() > 0 {
				rows = append(rows, append(row, cell.String()))
			}
			row = nil
			cell.Reset()
		default:
			cell.WriteByte(c)
		}
	}
	if i == len(s) && len(s) < sampleSize && !quoted && (row != nil || cell.Len() > 0) && len(rows) < most {
		rows = append(rows, append(row, cell.String()))
	}
	return rows
}

var looksLikeValue = regexp.MustCompile(`^[+-]?[0-9.,]+([eE][+-]?[0-9]+)?$|^[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}`)

// isHeader reports whether the first line holds names: it is not empty and none of its cells is a number or a date.
func isHeader(rows [][]string) bool {
	filled := false
	for _, c := range rows[0] {
		c = strings.TrimSpace(c)
		if looksLikeValue.MatchString(c) {
			return false
		}
		filled = filled || c != ""
	}
	return filled
}

// relation is the SQL that reads the file: every column as text, every row strictly.
func (d dialect) relation(path string) string {
	cols := make([]string, len(d.names))
	for i, n := range d.names {
		cols[i] = text(n) + ": 'VARCHAR'"
	}
	return fmt.Sprintf("read_csv(%s, auto_detect = false, delim = %s, quote = '\"', escape = '\"', header = %t, columns = {%s}, nullstr = '', encoding = %s, strict_mode = true, null_padding = false, ignore_errors = false, max_line_size = %d, compression = 'none')",
		text(path), text(string(d.delimiter)), d.header, strings.Join(cols, ", "), text(d.encoding), maxLine)
}
