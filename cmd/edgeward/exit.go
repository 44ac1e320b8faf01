package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"edgeward"
)

// exitCodes is printed by edgeward --help. The numbers never change their meaning.
const exitCodes = `Exit codes:
  0  done
  1  failed
  2  the command line or a value in it is wrong
  3  partly done
  4  sign-in needed
  5  there is no such thing, or none you may see
  6  conflict, or changed meanwhile
  7  refused by a policy or a gate
  8  time-out while waiting
  9  the node, or a part of it, cannot be reached
  130 interrupted
Any other code is a failure.`

// exitCode returns the code for an error, by its kind.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[partlyDone](err); ok {
		return 3
	}
	if code, ok := errors.AsType[exitWith](err); ok {
		return int(code)
	}
	if errors.Is(err, context.Canceled) {
		return 130
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return 8
	}
	switch edgeward.KindOf(err) {
	case edgeward.Invalid:
		return 2
	case edgeward.Unauthenticated:
		return 4
	case edgeward.NotFound:
		return 5
	case edgeward.Conflict:
		return 6
	case edgeward.Forbidden:
		return 7
	case edgeward.Unavailable:
		return 9
	default:
		return 1
	}
}

// partlyDone is an error of a command of which a part is done: exit code 3.
type partlyDone struct{ error }

func partly(format string, args ...any) error { return partlyDone{fmt.Errorf(format, args...)} }

// report says on w what went wrong and what to do, and returns the exit code.
func report(w io.Writer, err error) int {
	code := exitCode(err)
	if code == 130 {
		fmt.Fprintln(w, "edgeward: interrupted")
		return code
	}
	if _, said := errors.AsType[exitWith](err); said || err == nil {
		return code
	}
	fmt.Fprintf(w, "edgeward: %s\n", edgeward.Words(err))
	if h := edgeward.HintOf(err); h != "" {
		fmt.Fprintf(w, "hint: %s\n", h)
	}
	return code
}

// usageError marks what cobra found wrong in a command line.
func usageError(err error) error {
	if edgeward.CodeOf(err) != "" {
		return err
	}
	return (&edgeward.Error{Kind: edgeward.Invalid, Code: "cli.usage", Err: err}).WithHint("edgeward --help lists the commands, edgeward COMMAND --help its flags")
}
