package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/config"
)

// newSelfTestCommand is what a server calls of a binary before it lets it near its sockets. It is hidden: nobody else has a copy to give it.
func newSelfTestCommand(e env) *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:     "self-test",
		Short:   "Prove on a copy of a server's data that this program can run there",
		Example: "  edgeward self-test --data-dir /var/tmp/copy",
		Args:    cobra.NoArgs,
		Hidden:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.dataDir == "" {
				return edgeward.E("self-test", edgeward.Invalid, "cli.usage", "--data-dir names the copy").WithHint("servers call this; see edgeward self-update")
			}
			f.http, f.mqtt, f.grpc = "127.0.0.1:0", "127.0.0.1:0", config.Off
			f.set = append(f.set, "fleet.address="+config.Off, "gossip.address="+config.Off, "mqtt.url=", "mqtt.broker=false", "tracing.url=")
			l, err := f.load()
			if err != nil {
				return err
			}
			proof := node.Prove(cmd.Context(), node.Options{Config: l, Version: release, Log: newLog(e, l.Config)})
			return json.NewEncoder(e.stdout).Encode(proof)
		},
	}
	f.add(cmd)
	return cmd
}
