// Package importer makes a data set version out of a file.
//
// # Parties
//
// The caller has the bytes of a CSV or Parquet file and the right to import it. The importer puts them into the blob
// store, has the query worker normalise and profile them, puts the results beside them and returns a Version without a
// number. The caller adds it to its datasets.Store, in the transaction of its event.
//
// # Guarantees
//
//   - Nothing is visible before Import has returned: what an interrupted import left behind are blobs that no version
//     refers to, which the next sweep removes, and a temporary folder, which Clean removes.
//   - Import may be called again with the same bytes and the same declared types: it puts the same blobs and returns the
//     same digest.
//   - The file is read by content; its name, its extension and the person's description are never opened.
//
// # What a caller may not assume
//
// That the profile was made from the bytes as they came: it is made from data.parquet. That the roles are right.
package importer

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
	"edgeward/runtime/query"
)

// Blobs keeps bytes by digest; *blobs.Store is one.
type Blobs interface {
	Put(ctx context.Context, r io.Reader, limit int64) (edgeward.Digest, int64, error)
	Path(d edgeward.Digest) string
}

// Importer imports files. All fields are needed.
type Importer struct {
	Blobs Blobs
	Query *query.Client
	Temp  string // a folder of its own, on the disk of the blobs
}

// Request is one import.
type Request struct {
	Reader    io.Reader
	Limit     int64 // bytes of the file; more are TooLarge
	Types     map[string]datasets.Type
	Source    datasets.Source
	Message   string
	Created   time.Time
	CreatedBy string
	Progress  func(stage string) // told "receive", "normalise", "profile" and "coverage" as they begin; may be nil
}

// Result is a version that no Store has seen, and its profile.
type Result struct {
	Version datasets.Version
	Profile *profile.Profile
	Notes   []string // what a person should look at
}

// maxParquet bounds the normalised file in bytes.
const maxParquet = 64 << 30

// Import makes a version. Errors are those of datasets.Detect, of package query and of the blob store.
func (im *Importer) Import(ctx context.Context, in Request) (Result, error) {
	const op = "importer.Import"
	stage := in.Progress
	if stage == nil {
		stage = func(string) {}
	}
	stage("receive")
	source, size, err := im.Blobs.Put(ctx, in.Reader, in.Limit)
	if err != nil {
		return Result{}, edgeward.Wrap(op, err)
	}
	stage("normalise")
	n, data, err := im.normalise(ctx, source, in.Types)
	if err != nil {
		return Result{}, edgeward.Wrap(op, err)
	}
	name := datasets.SourceCSV
	if n.Format == datasets.Parquet {
		name = datasets.SourceParquet
	}
	v := datasets.Version{
		Files:  []datasets.File{data, {Name: name, Size: size, Digest: source}},
		Format: n.Format, Rows: n.Rows, Columns: n.Columns, Source: in.Source,
		Created: in.Created, CreatedBy: in.CreatedBy, Message: in.Message,
	}
	slices.SortFunc(v.Files, func(a, b datasets.File) int { return strings.Compare(a.Name, b.Name) })
	v.Digest = datasets.TreeDigest(v.Files)
	stage("profile")
	p, err := im.profile(ctx, &v, stage)
	if err != nil {
		return Result{}, edgeward.Wrap(op, err)
	}
	return Result{Version: v, Profile: p, Notes: n.Notes}, nil
}

func (im *Importer) normalise(ctx context.Context, source edgeward.Digest, types map[string]datasets.Type) (query.Normalised, datasets.File, error) {
	var none datasets.File
	if err := os.MkdirAll(im.Temp, 0o700); err != nil {
		return query.Normalised{}, none, err
	}
	dir, err := os.MkdirTemp(im.Temp, "import-")
	if err != nil {
		return query.Normalised{}, none, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, datasets.DataFile)
	n, err := im.Query.Normalise(ctx, query.NormaliseRequest{Path: im.Blobs.Path(source), Out: out, Types: types})
	if err != nil {
		return n, none, err
	}
	f, err := os.Open(out)
	if err != nil {
		return n, none, err
	}
	defer f.Close()
	d, size, err := im.Blobs.Put(ctx, f, maxParquet)
	return n, datasets.File{Name: datasets.DataFile, Size: size, Digest: d}, err
}

// profile fills in the roles and the profile's digest.
func (im *Importer) profile(ctx context.Context, v *datasets.Version, stage func(string)) (*profile.Profile, error) {
	path := im.Blobs.Path(v.Data())
	p, err := im.Query.Profile(ctx, query.ProfileRequest{Path: path, Columns: v.Columns})
	if err != nil {
		return nil, err
	}
	stage("coverage")
	v.Roles, err = datasets.Guess(v.Columns, p, func(columns []string) (bool, error) {
		d, err := im.Query.Distinct(ctx, query.DistinctRequest{Path: path, Columns: columns})
		return d.Rows == d.Distinct, err
	})
	if err != nil {
		return nil, err
	}
	if v.Roles.Time != "" {
		p.Coverage, err = im.Query.Coverage(ctx, query.CoverageRequest{Path: path, Time: v.Roles.Time, Groups: v.Roles.Groups, Value: v.Roles.Target})
		if err != nil {
			return nil, err
		}
	}
	b, err := p.Encode()
	if err != nil {
		return nil, err
	}
	v.ProfileDigest, _, err = im.Blobs.Put(ctx, strings.NewReader(string(b)), profile.MaxEncoded)
	return p, err
}

// Clean removes what interrupted imports left in Temp. No import may be under way.
func (im *Importer) Clean() error { return os.RemoveAll(im.Temp) }
