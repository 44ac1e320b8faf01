package oipgrpc

import (
	"compress/zlib"
	"io"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // messages compressed with gzip; the bound on a message holds for what comes out
)

// deflate is what gRPC calls deflate: the zlib format.
type deflate struct{}

// gRPC finds its compressors in a list of the process that is made before a server runs: there is no other way in.
func init() { encoding.RegisterCompressor(deflate{}) }

// Name is what stands in grpc-encoding.
func (deflate) Name() string { return "deflate" }

// Compress compresses what is written.
func (deflate) Compress(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriter(w), nil }

// Decompress decompresses what is read.
func (deflate) Decompress(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }
