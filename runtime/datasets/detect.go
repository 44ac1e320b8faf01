package datasets

import (
	"bytes"
	"io"

	"edgeward"
)

// other formats people try to import, by their first bytes, and what to do instead.
var others = []struct{ magic, name, hint string }{
	{"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV (UTF-8)"},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV (UTF-8)"},
	{"\x1f\x8b", "gzip", "unpack it first"},
	{"\x28\xb5\x2f\xfd", "zstd", "unpack it first"},
	{"%PDF", "a PDF document", "export the table behind it as CSV"},
	{"SQLite format 3", "an SQLite database", "export the table as CSV"},
	{"ORC", "ORC", "convert it to Parquet"},
	{"Obj\x01", "Avro", "convert it to Parquet"},
	{"ARROW1", "Arrow IPC", "convert it to Parquet"},
	{"\x89HDF", "HDF5", "convert it to Parquet"},
}

// Detect says by content what the size bytes of r are; names and extensions do not count. It reads at most 4 KiB.
// Invalid "dataset.empty", "dataset.corrupt" for a Parquet file that is not whole, "dataset.format_unknown" for
// everything else.
func Detect(r io.ReaderAt, size int64) (Format, error) {
	const op = "datasets.Detect"
	if size == 0 {
		return "", edgeward.E(op, edgeward.Invalid, "dataset.empty", "the file has no bytes").WithHint("choose a CSV file with a header line, or a Parquet file")
	}
	head := make([]byte, min(size, 4096))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return "", edgeward.Wrap(op, err)
	}
	if bytes.HasPrefix(head, []byte("PAR1")) {
		tail := make([]byte, 8)
		if size >= 12 {
			if _, err := r.ReadAt(tail, size-8); err != nil && err != io.EOF {
				return "", edgeward.Wrap(op, err)
			}
		}
		if string(tail[4:]) != "PAR1" {
			return "", edgeward.E(op, edgeward.Invalid, "dataset.corrupt", "a Parquet file of %d bytes that does not end as one", size).
				WithHint("the file is cut short: copy or download it again")
		}
		footer := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24
		if footer == 0 || footer > size-12 {
			return "", edgeward.E(op, edgeward.Invalid, "dataset.corrupt", "a Parquet file of %d bytes whose footer of %d bytes does not fit", size, footer).
				WithHint("the file is damaged: copy or download it again")
		}
		return Parquet, nil
	}
	for _, o := range others {
		if bytes.HasPrefix(head, []byte(o.magic)) {
			return "", edgeward.E(op, edgeward.Invalid, "dataset.format_unknown", "this is %s", o.name).WithHint("%s", o.hint)
		}
	}
	utf16 := bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
	if !utf16 && bytes.IndexByte(head, 0) >= 0 {
		return "", edgeward.E(op, edgeward.Invalid, "dataset.format_unknown", "neither text nor Parquet").WithHint("import a CSV file with a header line, or a Parquet file")
	}
	return CSV, nil
}
