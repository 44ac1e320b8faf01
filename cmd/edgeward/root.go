package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// groups of commands in the help of the root, and what is in each. A command that is in none stands under "Additional".
var groups = []struct {
	id, title string
	commands  []string
}{
	{"start", "Start:", []string{"up", "demo", "serve", "supervise"}},
	{"work", "From data to answers:", []string{"data", "model", "endpoint", "deploy", "predict", "feedback", "replay"}},
	{"watch", "Watch and decide:", []string{"status", "drift", "alert", "candidate", "retrain", "job", "events", "mqtt"}},
	{"admin", "Administer:", []string{"user", "group", "token", "me", "audit", "health", "settings", "config", "backup", "restore", "doctor", "key", "self-update"}},
}

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
	}
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.AddCommand(
		newAlertCommand(e),
		newAPICommand(e),
		newApplyCommand(e),
		newAuditCommand(e),
		newBackupCommand(e),
		newCandidateCommand(e),
		newConfigCommand(e),
		newDataCommand(e),
		newDeployCommand(e),
		newDiffCommand(e),
		newDoctorCommand(e),
		newDriftCommand(e),
		newEndpointCommand(e),
		newEventsCommand(e),
		newFeedbackCommand(e),
		newGroupCommand(e),
		newFleetCommand(e),
		newJoinCommand(e),
		newHealthCommand(e),
		newScoreCommand(e),
		newSupportCommand(e),
		newJobCommand(e),
		newKeyCommand(e),
		newLicensesCommand(e),
		newMeCommand(e),
		newModelCommand(e),
		newMQTTCommand(e),
		newPredictCommand(e),
		newReplayCommand(e),
		newRestoreCommand(e),
		newRetrainCommand(e),
		newDemoCommand(e),
		newServeCommand(e),
		newSuperviseCommand(e),
		newSelfTestCommand(e),
		newSelfUpdateCommand(e),
		newUpCommand(e),
		newSettingsCommand(e),
		newRuntimeCommand(e),
		newStatusCommand(e),
		newTokenCommand(e),
		newUserCommand(e),
		newVersionCommand(e),
	)
	nouns(root)
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range root.Commands() {
			if slices.Contains(g.commands, c.Name()) {
				c.GroupID = g.id
			}
		}
	}
	note(root, started)
	return root, started
}

// note makes every command say that it began: after cobra has checked its arguments and flags.
func note(c *cobra.Command, started *bool) {
	if run := c.RunE; run != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		note(sub, started)
	}
}

// nouns has each command that only holds others refuse words it does not know: cobra prints its help and says that all is well.
func nouns(c *cobra.Command) {
	for _, sub := range c.Commands() {
		if nouns(sub); sub.HasSubCommands() && !sub.Runnable() {
			sub.Args, sub.RunE = cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}
