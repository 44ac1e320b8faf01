package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/oci"
)

// maxArchive bounds an archive that is taken apart here.
const maxArchive = 64 << 30

// ociFlags are where an OCI layout is written to.
type ociFlags struct{ file, dir string }

func (f *ociFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "oci", "", "`file` to write, the tar of an OCI image layout")
	cmd.Flags().StringVar(&f.dir, "oci-dir", "", "`directory` to write the OCI image layout to, empty or not there")
}

func (f *ociFlags) given() bool { return f.file != "" || f.dir != "" }

// exported is what an export prints with --json.
type exported struct {
	File   string          `json:"file,omitempty"`
	Bytes  int64           `json:"bytes,omitempty"`
	SHA256 edgeward.Digest `json:"sha256,omitempty"`
	Dir    string          `json:"dir,omitempty"`
}

// write puts the archive that fetch gives where the flags say.
func (f *ociFlags) write(ctx context.Context, r *remote, fetch func(io.Writer) error) error {
	if f.dir != "" {
		in, out := io.Pipe()
		fetched := make(chan error, 1)
		go func() {
			err := fetch(out)
			fetched <- err
			out.CloseWithError(err)
		}()
		err := oci.Extract(ctx, in, f.dir, maxArchive)
		in.CloseWithError(err) // the server need not go on
		if ferr := <-fetched; ferr != nil && !errors.Is(ferr, err) {
			err = ferr
		}
		if err != nil {
			return err
		}
		return r.print(exported{Dir: f.dir}, func(w io.Writer) { fmt.Fprintln(w, f.dir) })
	}
	n, digest, err := writeFile(f.file, fetch)
	if err != nil {
		return err
	}
	return r.print(exported{File: f.file, Bytes: n, SHA256: digest}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s, %s\n", f.file, size(n), digest) })
}

func newEndpointExport(r *remote) *cobra.Command {
	var f ociFlags
	cmd := &cobra.Command{
		Use: "export NAME", Short: "Write the live version as an OCI image that answers by itself", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames),
		Long: "export writes an image without a base: this very program, the engine's libraries, the model, the libraries of this\n" +
			"machine they need, and a bill of materials. It answers the Open Inference Protocol as the endpoint does here.",
		Example: "  edgeward endpoint export visits-tomorrow --oci visits-tomorrow.tar\n  edgeward endpoint export visits-tomorrow --oci-dir layout",
	}
	f.add(cmd)
	cmd.MarkFlagsOneRequired("oci", "oci-dir")
	cmd.MarkFlagsMutuallyExclusive("oci", "oci-dir")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return f.write(ctx, r, func(w io.Writer) error { return c.EndpointImage(ctx, args[0], w) })
	})
	return cmd
}
