// Command edgeward is the product: one program that is server, worker and client. This package holds main, one file
// per command, and nothing a test would want to import.
//
// # A command
//
// One file NAME.go with newNAMECommand(env) *cobra.Command, added in root.go, and one testdata/script/NAME.txtar. The
// command takes its streams from env and its context from cobra, prints its result on stdout (one JSON document with
// --json), messages on stderr, and returns an error; exit.go alone turns an error into words and an exit code.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"edgeward/node"
	"edgeward/runtime/worker"
)

//go:generate env EDGEWARD_WRITE_GOLDEN=1 go test -count=1 -run TestReferenceIsGenerated .

// env is what a command may touch of the process it runs in.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

func main() {
	worker.Dispatch(node.Kinds()) // a worker process serves here and never comes back
	os.Exit(run(context.Background(), os.Args[1:], env{os.Stdin, os.Stdout, os.Stderr}))
}

// run executes one command line and returns its exit code. The first interrupt or termination signal ends the context;
// a second one ends the process at once.
func run(ctx context.Context, args []string, e env) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root, started := newRootCommand(e)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !*started {
		err = usageError(err)
	}
	return report(e.stderr, err)
}
