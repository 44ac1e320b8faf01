package main

import "github.com/spf13/cobra"

// newRootCommand returns the tree of commands, and whether one of them began to run: an error before that is a mistake
// in the command line.
func newRootCommand(e env) (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:           "edgeward",
		Short:         "Models on your own servers: data, training, serving, monitoring, rollout",
		Long:          "edgeward does the whole life of a model on this server. Nothing leaves it but what its administrator configured.\n\n" + exitCodes,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			*started = true
		},
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.AddCommand(
		newLicensesCommand(e),
		newServeCommand(e),
		newVersionCommand(e),
	)
	return root, started
}
