package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/config"
)

// remote is how a command reaches a node, and how it prints what came back. Each noun has its own.
type remote struct {
	env
	node, tokenFile, group, dataDir, ca string
	asJSON                              bool
}

// newRemote gives cmd and its subcommands the flags of a remote.
func newRemote(e env, cmd *cobra.Command) *remote {
	r := &remote{env: e}
	f := cmd.PersistentFlags()
	f.StringVar(&r.node, "node", "", "`URL` of the server, such as https://ward:8080 (default $"+config.EnvURL+", else this machine's own)")
	f.StringVar(&r.tokenFile, "token-file", "", "`file` with the API token (default $"+config.EnvToken+"); - is standard input")
	f.StringVar(&r.ca, "ca-file", "", "PEM `file` of the CA that signed the server's certificate (default $"+config.EnvCAFile+", else the system's CAs)")
	f.StringVar(&r.group, "group", "", "`name` of the group to work in (default $"+config.EnvGroup+", else your first)")
	f.StringVar(&r.dataDir, "data-dir", "", "data `directory` of a server on this machine, reached by its socket")
	f.BoolVar(&r.asJSON, "json", false, "print one JSON document")
	return r
}

// socketName is the server's socket in its data directory.
const socketName = node.SocketName

// maxToken bounds a token file.
const maxToken = 4096

// client finds the node: --data-dir, else --node and EDGEWARD_URL, else the configured data directory.
func (r *remote) client() (*client.Client, error) {
	o := client.Options{URL: r.node, Group: r.group, Token: os.Getenv(config.EnvToken), CAFile: r.ca}
	if o.CAFile == "" {
		o.CAFile = os.Getenv(config.EnvCAFile)
	}
	if o.Group == "" {
		o.Group = os.Getenv(config.EnvGroup)
	}
	if o.URL == "" && r.dataDir == "" {
		o.URL = os.Getenv(config.EnvURL)
	}
	if r.tokenFile != "" {
		raw, err := r.read(r.tokenFile, maxToken)
		if err != nil {
			return nil, err
		}
		o.Token = strings.TrimSpace(string(raw))
	}
	if o.URL != "" {
		return client.New(o)
	}
	dir, err := r.directory()
	if err != nil {
		return nil, err
	}
	o.Socket = filepath.Join(dir, socketName)
	return client.New(o)
}

// directory is the data directory of the server on this machine.
func (r *remote) directory() (string, error) {
	if r.dataDir != "" {
		return r.dataDir, nil
	}
	l, err := config.Load(config.Sources{Env: os.Environ(), Root: os.Geteuid() == 0})
	return l.DataDir, err
}

// read returns a file's bytes, those of standard input for "-"; more than limit bytes are TooLarge.
func (r *remote) read(path string, limit int64) ([]byte, error) {
	in := io.NopCloser(r.stdin)
	if path != "-" {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		in = f
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if int64(len(b)) > limit {
		return nil, edgeward.E("read", edgeward.TooLarge, "file.too_large", "%s has more than %d bytes", path, limit)
	}
	return b, nil
}

func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

func unreadable(path string, err error) error {
	kind := edgeward.Invalid
	if os.IsNotExist(err) {
		kind = edgeward.NotFound
	}
	return edgeward.E("read", kind, "file.unreadable", "%w", err).With("path", path).WithHint("does the file exist, and may you read it?")
}

// namer lists the names a shell completes.
type namer = func(context.Context, *client.Client) ([]string, error)

// completeWith completes the first argument with names from the running node.
func (r *remote) completeWith(names namer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		c, err := r.client()
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		all, err := names(ctx, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, prefix) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// namesOf takes the first page of a list for completion.
func namesOf[T any](items []T, err error, name func(T) string) ([]string, error) {
	out := make([]string, len(items))
	for i, v := range items {
		out[i] = name(v)
	}
	return out, err
}

func datasetNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Datasets(ctx, "")
	return namesOf(l.Items, err, func(d client.Dataset) string { return d.Name })
}

func modelNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Models(ctx, "")
	return namesOf(l.Items, err, func(m client.Model) string { return m.Name })
}

func endpointNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Endpoints(ctx, "")
	return namesOf(l.Items, err, func(e client.EndpointView) string { return e.Endpoint.Name })
}

// fleetNodeNames are the names of a fleet's nodes, and the id where there is none.
func fleetNodeNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.SelectedNodes(ctx, "", "")
	return namesOf(l.Items, err, func(n client.FleetNode) string { return cmp.Or(n.Name, n.ID) })
}

func rolloutIDs(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Rollouts(ctx, "")
	return namesOf(l.Items, err, func(x client.Rollout) string { return x.ID })
}

func scoringNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Scorings(ctx, "")
	return namesOf(l.Items, err, func(s client.Scoring) string { return s.Name })
}

func jobIDs(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Jobs(ctx, "")
	return namesOf(l.Items, err, func(j client.Job) string { return j.ID })
}

func candidateIDs(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Candidates(ctx, "", "")
	return namesOf(l.Items, err, func(k client.CandidateView) string { return k.ID })
}

func userNames(ctx context.Context, c *client.Client) ([]string, error) {
	l, err := c.Users(ctx, "")
	return namesOf(l.Items, err, func(u client.User) string { return u.Name })
}
