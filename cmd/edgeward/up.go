package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newUpCommand(e env) *cobra.Command {
	var f serverFlags
	var which string
	var speed float64
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the server and print the link to open; --demo plays the demonstration in it",
		Long: "up is serve for a person at a terminal: it runs the server in the foreground and prints the link to open.\n" +
			"With --demo it plays the demonstration, which everything it makes says of itself, and goes on running.\n" +
			"edgeward demo remove, or one button in the page, takes the demonstration away.\n\n" + exitCodes,
		Example: "  edgeward up --demo\n  edgeward up --demo=factory\n  edgeward up --demo=beds\n  edgeward up --data-dir ~/edgeward",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			play, ok := stories[which]
			if which != "" && !ok {
				return usageError(fmt.Errorf("there is no demonstration %q: hospital, factory or beds", which))
			}
			n, l, err := openNode(cmd.Context(), e, &f, nil)
			if err != nil {
				return err
			}
			announce(e, n)
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			played := make(chan struct{})
			if play != nil {
				go func() {
					defer close(played)
					if _, err := demonstrate(ctx, e, n, l.DataDir, play, speed); err != nil && ctx.Err() == nil {
						fmt.Fprintf(e.stderr, "the demonstration stopped: %v\n", err)
						return
					}
					if ctx.Err() == nil {
						fmt.Fprintf(e.stdout, "The demonstration has been played; the server goes on: %s\n", n.URL())
					}
				}()
			} else {
				close(played)
			}
			err = n.Run(ctx)
			cancel()
			<-played
			return err
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&which, "demo", "", "play a demonstration: `hospital`, on real data, factory, on generated pictures, or beds, a simulated ward; --demo alone is hospital")
	cmd.Flags().Lookup("demo").NoOptDefVal = "hospital"
	cmd.Flags().Float64Var(&speed, "demo-speed", 20, "days, or parts, a second of the demonstration's replay at most; 0: as fast as the server settles")
	return cmd
}
