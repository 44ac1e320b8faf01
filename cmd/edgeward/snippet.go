package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newEndpointSnippet(r *remote) *cobra.Command {
	var lang string
	cmd := &cobra.Command{Use: "snippet NAME", Short: "Print programs that ask an endpoint", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames),
		Example: "  edgeward endpoint snippet visits-tomorrow --lang python > ask.py\n  export EDGEWARD_TOKEN=$(edgeward token create my-client --role service)\n  python3 ask.py"}
	cmd.Flags().StringVar(&lang, "lang", "", "only this `language`: curl, python, go, mqtt, json (the body alone), v2-curl or v2-python (the Open Inference Protocol)")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		s, err := c.Snippets(ctx, args[0], lang)
		if err != nil {
			return err
		}
		return r.print(s, func(w io.Writer) {
			for i, x := range s.Items {
				if lang == "" {
					if i > 0 {
						fmt.Fprintln(w)
					}
					fmt.Fprintf(w, "## %s (--lang %s)\n", x.Title, x.Lang)
				}
				fmt.Fprintln(w, x.Code)
			}
		})
	})
	return cmd
}
