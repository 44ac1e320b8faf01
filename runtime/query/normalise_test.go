package query_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/query"
)

func TestTypesAreInferred(t *testing.T) {
	c, _ := newClient(t)
	const f, i, x, b, d, s = datasets.Float, datasets.Integer, datasets.Text, datasets.Boolean, datasets.Date, datasets.Timestamp
	for _, tt := range []struct {
		name, csv string
		declare   map[string]datasets.Type
		want      map[string]datasets.Type
		row       string // first row as JSON
	}{
		{"plain numbers and texts", "a,b,c\n1,2.5,x\n2,3,y\n", nil, map[string]datasets.Type{"a": i, "b": f, "c": x}, `[1,2.5,"x"]`},
		{"an identifier with leading zeros stays text", "lot,n\n00123,1\n00456,2\n", nil, map[string]datasets.Type{"lot": x, "n": i}, `["00123",1]`},
		{"a single zero is a number", "a\n0\n10\n", nil, map[string]datasets.Type{"a": i}, `[0]`},
		{"empty, NA and null are missing numbers", "a,b\nNA,1\n2.5,null\n,3\n", nil, map[string]datasets.Type{"a": f, "b": i}, `[null,1]`},
		{"NA is a text among texts", "a\nNA\nSA\n", nil, map[string]datasets.Type{"a": x}, `["NA"]`},
		{"declared as text", "cause_id,n\n1,4\n", map[string]datasets.Type{"cause_id": x}, map[string]datasets.Type{"cause_id": x, "n": i}, `["1",4]`},
		{"declared as float in spite of zeros", "a\n007\n012.5\n", map[string]datasets.Type{"a": f}, map[string]datasets.Type{"a": f}, `[7]`},
		{"days and times", "d,t\n2024-03-01,2024-03-01 10:30\n2024-03-02,2024-03-01T11:30:00.250\n", nil, map[string]datasets.Type{"d": d, "t": s}, `["2024-03-01","2024-03-01T10:30:00Z"]`},
		{"a zone is turned into UTC", "t\n2024-03-01T10:30:00+02:00\n2024-03-01T10:30:00Z\n", nil, map[string]datasets.Type{"t": s}, `["2024-03-01T08:30:00Z"]`},
		{"day first, decimal comma, semicolons", "Tag;Wert\n31.12.2023;1,5\n01.01.2024;2\n", nil, map[string]datasets.Type{"Tag": d, "Wert": f}, `["2023-12-31",1.5]`},
		{"month first when a day says so", "d\n01/31/2024\n02/01/2024\n", nil, map[string]datasets.Type{"d": d}, `["2024-01-31"]`},
		{"dates that can be read two ways stay text", "d\n01/02/2024\n03/04/2024\n", nil, map[string]datasets.Type{"d": x}, `["01/02/2024"]`},
		{"booleans", "a\ntrue\nFALSE\n", nil, map[string]datasets.Type{"a": b}, `[true]`},
		{"quotes, commas and line ends in a cell", "a,b\n\"x, \"\"y\"\"\nz\",1\n", nil, map[string]datasets.Type{"a": x, "b": i}, `["x, \"y\"\nz",1]`},
		{"tabs", "a\tb\n1\tx\n", nil, map[string]datasets.Type{"a": i, "b": x}, `[1,"x"]`},
		{"no header", "1,2024-01-01\n2,2024-01-02\n", nil, map[string]datasets.Type{"column_1": i, "column_2": d}, `[1,"2024-01-01"]`},
		{"names that are empty or differ by case", "a,,A\n1,2,3\n", nil, map[string]datasets.Type{"a": i, "column_2": i, "A_2": i}, `[1,2,3]`},
		{"names with quotes and SQL", "\"a\"\"; DROP TABLE x; --\",b'c\n1,2\n", nil, map[string]datasets.Type{`a"; DROP TABLE x; --`: i, "b'c": i}, `[1,2]`},
		{"UTF-8 with a byte order mark", "\xef\xbb\xbfä,b\n1,ö\n", nil, map[string]datasets.Type{"ä": i, "b": x}, `[1,"ö"]`},
		{"Latin-1", "n\xfcmero,b\n1,\xf1and\xfa\n", nil, map[string]datasets.Type{"nümero": i, "b": x}, `[1,"ñandú"]`},
		{"UTF-16", "\xff\xfe" + utf16le("ä,b\n1,Grüße\n"), nil, map[string]datasets.Type{"ä": i, "b": x}, `[1,"Grüße"]`},
		{"Windows line ends and no last one", "a,b\r\n1,x\r\n2,y", nil, map[string]datasets.Type{"a": i, "b": x}, `[1,"x"]`},
		{"a number too long for an integer", "a\n1000000000000000000000000\n1\n", nil, map[string]datasets.Type{"a": f}, `[1e+24]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, n := normal(t, c, file(t, "in.csv", tt.csv), tt.declare)
			if got := types(n.Columns); !maps.Equal(got, tt.want) {
				t.Fatalf("types %v, want %v", got, tt.want)
			}
			p, err := c.Page(within(t, time.Minute), query.PageRequest{Path: path, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(p.Rows[0]); string(got) != tt.row {
				t.Errorf("first row %s, want %s", got, tt.row)
			}
			if got := types(p.Columns); !maps.Equal(got, tt.want) {
				t.Errorf("page has types %v, want %v", got, tt.want)
			}
		})
	}
}

func utf16le(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func TestAnOddRowFarDownChangesTheTypeNotTheRow(t *testing.T) {
	c, _ := newClient(t)
	csv := "a,b\n" + strings.Repeat("1,2024-01-01\n", 30_000) + "x,2024-01-01\n"
	path, n := normal(t, c, file(t, "in.csv", csv), nil)
	if got := types(n.Columns); got["a"] != datasets.Text || got["b"] != datasets.Date || n.Rows != 30_001 {
		t.Fatalf("%+v", n)
	}
	p, err := c.Page(within(t, time.Minute), query.PageRequest{Path: path, Limit: 1, Offset: 30_000})
	if err != nil || p.Rows[0][0] != "x" {
		t.Errorf("last row %v, %v", p.Rows, err)
	}
}

func TestBadFilesAreRefusedClearly(t *testing.T) {
	c, w := newClient(t)
	whole, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, content string
		types         map[string]datasets.Type
		kind          edgeward.Kind
		code, param   string
	}{
		{"empty", "", nil, edgeward.Invalid, "dataset.empty", ""},
		{"only blank lines", "\n\n", nil, edgeward.Invalid, "dataset.empty", ""},
		{"only a header", "a,b\n", nil, edgeward.Invalid, "dataset.empty", ""},
		{"a row too short", "a,b,c\n1,2,3\n1,2\n1,2,3\n", nil, edgeward.Invalid, "dataset.corrupt", "3"},
		{"a row too long", "a,b\n1,2\n1,2\n1,2,3\n", nil, edgeward.Invalid, "dataset.corrupt", "4"},
		{"an open quote", "a,b\n1,x\n2,\"y\n3,z\n", nil, edgeward.Invalid, "dataset.corrupt", "3"},
		{"a zero byte far in", "a,b\n" + strings.Repeat("1,2\n", 4000) + "1,\x00\n", nil, edgeward.Invalid, "dataset.corrupt", ""},
		{"a workbook", "PK\x03\x04 and so on", nil, edgeward.Invalid, "dataset.format_unknown", ""},
		{"a program", "\x7fELF\x00\x00", nil, edgeward.Invalid, "dataset.format_unknown", ""},
		{"a Parquet file cut short", string(whole[:len(whole)/2]), nil, edgeward.Invalid, "dataset.corrupt", ""},
		{"a Parquet file of nothing but its magic", "PAR1PAR1", nil, edgeward.Invalid, "dataset.corrupt", ""},
		{"a Parquet file whose footer is noise", "PAR1" + strings.Repeat("x", 400) + "\x40\x00\x00\x00PAR1", nil, edgeward.Invalid, "dataset.corrupt", ""},
		{"a value that is not of its declared type", "a\n1\n2\nx\n", map[string]datasets.Type{"a": datasets.Float}, edgeward.Invalid, "dataset.type_mismatch", "3"},
		{"two columns of one name", "day,value,value\n2024-01-01,1,2\n", nil, edgeward.Invalid, "dataset.column_twice", "value"},
		{"two columns of one name but for spaces", "day; n;n \n2024-01-01;1;2\n", nil, edgeward.Invalid, "dataset.column_twice", "n"},
		{"a declared column that is not there", "a\n1\n", map[string]datasets.Type{"b": datasets.Float}, edgeward.Invalid, "dataset.column_unknown", "b"},
		{"a declared type that is none", "a\n1\n", map[string]datasets.Type{"a": "money"}, edgeward.Invalid, "dataset.type_invalid", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := file(t, "in", tt.content)
			out := filepath.Join(t.TempDir(), "data.parquet")
			_, err := c.Normalise(within(t, time.Minute), query.NormaliseRequest{Path: in, Out: out, Types: tt.types})
			wantError(t, err, tt.kind, tt.code)
			if strings.Contains(err.Error(), filepath.Dir(in)) || strings.Contains(edgeward.HintOf(err), filepath.Dir(in)) {
				t.Errorf("the error names a path of the server: %v", err)
			}
			found := tt.param == ""
			for _, v := range edgeward.ParamsOf(err) {
				found = found || v == tt.param
			}
			if !found {
				t.Errorf("parameters %v, want one %q (%v)", edgeward.ParamsOf(err), tt.param, err)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a result was left behind")
			}
		})
	}
	if s := w.Status(); s.Deaths != 0 {
		t.Errorf("the worker died %d times: %s", s.Deaths, s.LastDeath)
	}
}

func TestNormalisingTwiceGivesTheSameBytes(t *testing.T) {
	c, _ := newClient(t)
	for _, in := range []string{demo, "testdata/pump-sensors.csv", "testdata/cold-store.csv"} {
		a, _ := normal(t, c, in, nil)
		b, _ := normal(t, c, in, nil)
		x, _ := os.ReadFile(a)
		y, _ := os.ReadFile(b)
		if len(x) == 0 || string(x) != string(y) {
			t.Errorf("%s: %d and %d bytes differ", in, len(x), len(y))
		}
		// A normalised file is its own normal form.
		again, _ := normal(t, c, a, nil)
		if z, _ := os.ReadFile(again); string(z) != string(x) {
			t.Errorf("%s: normalising the normal form changed it", in)
		}
	}
}

func TestInspectSaysWhatAnImportWouldGive(t *testing.T) {
	c, _ := newClient(t)
	for _, tt := range []struct {
		path, delimiter string
		rows            int64
		want            map[string]datasets.Type
	}{
		{"testdata/pump-sensors.csv", ",", 2875, map[string]datasets.Type{"measured_at": datasets.Timestamp, "pump": datasets.Text, "flow_m3h": datasets.Float, "pressure_bar": datasets.Float, "vibration_mms": datasets.Float, "valve_trip": datasets.Integer}},
		{"testdata/seed-quality.csv", ",", 300, map[string]datasets.Type{"lot": datasets.Text, "length_mm": datasets.Float, "width_mm": datasets.Float, "moisture": datasets.Float, "treated": datasets.Boolean, "grade": datasets.Text}},
		{"testdata/cold-store.csv", ";", 159, map[string]datasets.Type{"Woche": datasets.Date, "Verbrauch kWh": datasets.Float, "Außentemperatur": datasets.Float, "Anlieferungen": datasets.Integer}},
		{demo, "", 151_108, map[string]datasets.Type{"year": datasets.Integer, "date": datasets.Timestamp, "facility_code": datasets.Text, "facility_name": datasets.Text, "cause_id": datasets.Text, "cause_group": datasets.Text, "age_group": datasets.Text, "count": datasets.Integer}},
	} {
		abs, _ := filepath.Abs(tt.path)
		got, err := c.Inspect(within(t, time.Minute), query.InspectRequest{Path: abs})
		if err != nil {
			t.Fatalf("%s: %v", tt.path, err)
		}
		if got.Rows != tt.rows || got.Delimiter != tt.delimiter || !maps.Equal(types(got.Columns), tt.want) {
			t.Errorf("%s: %+v", tt.path, got)
		}
	}
	got, err := c.Inspect(within(t, time.Minute), query.InspectRequest{Path: file(t, "in.csv", "d\n01/02/2024\n")})
	if err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "day first and month first") {
		t.Errorf("ambiguous dates: %v %v", got.Notes, err)
	}
}
