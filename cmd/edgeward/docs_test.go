package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reference is docs/cli.md: every command with its help, in the order of the help of the root.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Command line\n\n<!-- Generated from cmd/edgeward by go generate; do not edit. -->\n\n")
	b.WriteString("A command finds the server by `--node URL` and a token, else by the socket in the data directory of this machine.\n" +
		"Most commands take `--json` and then print one JSON document on standard output; words about it go to standard error.\n\n")
	b.WriteString("```\n" + exitCodes + "\n```\n")
	for _, g := range append(root.Groups(), &cobra.Group{Title: "Other:"}) {
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, c := range root.Commands() {
			if c.GroupID == g.ID && c.IsAvailableCommand() && c.Name() != "help" && c.Name() != "completion" {
				document(&b, c)
			}
		}
	}
	return b.String()
}

func document(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n%s `%s`\n\n%s.\n", strings.Repeat("#", strings.Count(c.CommandPath(), " ")+2), c.UseLine(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(strings.ReplaceAll(c.Long, exitCodes, "")))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", unindent(c.Example))
	}
	var flags []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if kind != "" {
			name += " " + kind
		}
		flags = append(flags, fmt.Sprintf("| `%s` | %s |", name, strings.ReplaceAll(usage, "|", "\\|")))
	})
	if len(flags) > 0 {
		fmt.Fprintf(b, "\n| Flag | Meaning |\n| --- | --- |\n%s\n", strings.Join(flags, "\n"))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			document(b, sub)
		}
	}
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

// TestReferenceIsGenerated compares docs/cli.md with the tree of commands.
func TestReferenceIsGenerated(t *testing.T) {
	const path = "../../docs/cli.md"
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	want := reference(root)
	if os.Getenv("EDGEWARD_WRITE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the commands say: run go generate ./cmd/edgeward (%v)", path, err)
	}
}

// TestEveryCommandSpeaksJSON walks the tree: whatever prints a result has --json, whatever destroys has --yes, and every
// command that has arguments or flags of its own shows an example, itself or its noun.
func TestEveryCommandSpeaksJSON(t *testing.T) {
	plain := map[string]bool{"completion": true, "help": true, "serve": true, "supervise": true, "self-test": true, "up": true, "api": true, "worker": true}
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if c == root && plain[sub.Name()] {
				continue
			}
			if sub.HasSubCommands() {
				if sub.Example == "" {
					t.Errorf("%s: no example", sub.CommandPath())
				}
				walk(sub)
				continue
			}
			if sub.Flag("json") == nil && sub.InheritedFlags().Lookup("json") == nil {
				t.Errorf("%s: no --json", sub.CommandPath())
			}
			if sub.Short == "" || strings.HasSuffix(sub.Short, ".") {
				t.Errorf("%s: Short is %q; want one line without a full stop", sub.CommandPath(), sub.Short)
			}
			// What the demonstration made can be made again.
			if (sub.Name() == "remove" || sub.Name() == "delete") && sub.Flag("yes") == nil && c.Name() != "demo" {
				t.Errorf("%s: no --yes", sub.CommandPath())
			}
		}
	}
	walk(root)
}

// TestCommandsShowHow holds each command to an example of its own.
func TestCommandsShowHow(t *testing.T) {
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasSubCommands() && !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s: no example of it: %q", c.CommandPath(), c.Example)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// TestExamplesAreUnderstood has each example in a command's help read as the shell and the command line would: the command is there, its flags are, what it
// needs is given.
func TestExamplesAreUnderstood(t *testing.T) {
	var lines []string
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if i := strings.Index(line, "| edgeward "); i >= 0 {
				line = line[i+2:]
			}
			if strings.HasPrefix(line, "edgeward ") {
				lines = append(lines, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	if len(lines) < 200 {
		t.Fatalf("only %d examples", len(lines))
	}
	for _, line := range lines {
		if err := understood(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// understood reports why a line is no call of a command.
func understood(line string) error {
	words, err := shellWords(line)
	if err != nil {
		return err
	}
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr}) // flags keep what they were given
	c, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	if !c.Runnable() {
		return fmt.Errorf("%s is no command", c.CommandPath())
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	return errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups())
}

// shellWords cuts a line as a shell does, as far as examples need it: quotes, comments, and redirections, which it leaves out.
func shellWords(line string) (out []string, err error) {
	var word strings.Builder
	quote, some := rune(0), false
	end := func() {
		if some {
			out = append(out, word.String())
		}
		word.Reset()
		some = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, some = c, true
		case c == ' ':
			end()
		default:
			word.WriteRune(c)
			some = true
		}
	}
	end()
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	for i, w := range out {
		if w == ">" || w == "<" || w == "|" || w == "#" || w == "&" || w == "&&" {
			return out[:i], nil
		}
	}
	return out, nil
}

// TestWordsThatNoCommandKnowsAreRefused walks the tree: what only holds other commands takes no word that is none of them.
func TestWordsThatNoCommandKnowsAreRefused(t *testing.T) {
	root, _ := newRootCommand(env{os.Stdin, os.Stdout, os.Stderr})
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.HasSubCommands() && sub.Name() != "completion" && (!sub.Runnable() || sub.Args == nil) {
				t.Errorf("%s nonsense is no error", sub.CommandPath())
			}
			walk(sub)
		}
	}
	walk(root)
}
