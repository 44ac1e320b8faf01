package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newAPICommand(e env) *cobra.Command {
	var data string
	var headers []string
	var tag bool
	cmd := &cobra.Command{
		Use:   "api METHOD PATH",
		Short: "Make any request to the API",
		Long:  "api sends one request as you, and prints the body of the answer. GET /api/v1/openapi.json is the contract.",
		Example: `  edgeward api GET /api/v1/overview
  edgeward api POST /api/v1/alerts/visits-tomorrow/ack --data '{"reason": "seen"}'
  edgeward api PUT /api/v1/models/m/aliases/champion --data @alias.json`,
		Args: cobra.ExactArgs(2),
	}
	r := newRemote(e, cmd)
	cmd.Flags().StringVar(&data, "data", "", "body: JSON, or @`file`; @- is standard input")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "`name=value` of a header")
	cmd.Flags().BoolVar(&tag, "tag", false, "write the answer's entity tag to standard error, for --header If-Match=TAG of a change")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q, err := rawRequest(args[0], args[1])
		if err != nil {
			return err
		}
		if q.Header, err = pairs("header", headers); err != nil {
			return err
		}
		if data != "" {
			body := []byte(data)
			if path, ok := strings.CutPrefix(data, "@"); ok {
				if body, err = r.read(path, maxRows); err != nil {
					return err
				}
			}
			if !json.Valid(body) {
				return edgeward.E("api", edgeward.Invalid, "cli.usage", "the body is no JSON").WithHint("quote it for the shell, or give it as a file: --data @body.json")
			}
			q.Body = json.RawMessage(body)
		}
		end := &lastByte{w: r.stdout}
		head, err := c.Exchange(ctx, q, end)
		if err != nil {
			return err
		}
		if tag {
			fmt.Fprintln(r.stderr, head.Get("ETag"))
		}
		if end.n > 0 && end.last != '\n' {
			_, err = io.WriteString(r.stdout, "\n")
		}
		return err
	})
	return cmd
}

// lastByte writes through and remembers how the output ends.
type lastByte struct {
	w    io.Writer
	last byte
	n    int
}

func (l *lastByte) Write(b []byte) (int, error) {
	if len(b) > 0 {
		l.last = b[len(b)-1]
		l.n += len(b)
	}
	return l.w.Write(b)
}

func rawRequest(method, path string) (client.Request, error) {
	method = strings.ToUpper(method)
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead}, method) {
		return client.Request{}, edgeward.E("api", edgeward.Invalid, "cli.usage", "%.20q is no method", method).WithHint("use GET, POST, PUT, PATCH or DELETE")
	}
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") {
		return client.Request{}, edgeward.E("api", edgeward.Invalid, "cli.usage", "%.200q is no path", path).WithHint("write /api/v1/…; the server is named by --node")
	}
	return client.Request{Method: method, Path: u.EscapedPath(), Query: u.Query()}, nil
}
