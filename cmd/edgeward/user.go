package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newUserCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "user", "People who may sign in", "")
	cmd.Example = `  edgeward user create alice --display "Alice Moreno" --member ward --role scientist --password-file -
  edgeward user disable alice --reason "left"`
	cmd.AddCommand(newUserCreate(r), newUserList(r), newUserDisable(r, true), newUserDisable(r, false), newUserPassword(r))
	return cmd
}

func newUserCreate(r *remote) *cobra.Command {
	var u client.NewUser
	var file string
	cmd := &cobra.Command{Use: "create NAME", Short: "Make a person", Example: "  edgeward user create alice --display \"Alice Moreno\" --member ward --role scientist --password-file - < secret", Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.StringVar(&u.Display, "display", "", "`name` that the web page shows")
	f.BoolVar(&u.Admin, "admin", false, "an administrator of the server")
	f.StringVar(&u.Group, "member", "", "`name` of a group to be a member of")
	f.StringSliceVar(&u.Roles, "role", nil, "`roles` in that group: owner, scientist, operator, reviewer, service")
	f.StringVar(&file, "password-file", "", "`file` with the password; - is standard input")
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) (err error) {
		u.Name, u.Reason = args[0], *reason
		if file != "" {
			if u.Password, err = r.password(file); err != nil {
				return err
			}
		}
		made, err := c.CreateUser(ctx, u)
		if err != nil {
			return err
		}
		return r.print(made, func(w io.Writer) {
			fmt.Fprintln(w, "made", made.Name)
			if u.Password == "" {
				fmt.Fprintf(r.stderr, "no password yet: edgeward user password %s --password-file FILE\n", made.Name)
			}
		})
	})
	return cmd
}

// password reads the first line of a file.
func (r *remote) password(path string) (string, error) {
	b, err := r.read(path, maxToken)
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if err == nil && line == "" {
		err = edgeward.E("password", edgeward.Invalid, "password.empty", "the password is empty")
	}
	return line, err
}

func newUserList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List people", Example: "  edgeward user list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.User], error) { return c.Users(ctx, cursor) })
		if err != nil {
			return err
		}
		names, err := groupTitles(ctx, c)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, u := range all {
				var in []string
				for _, m := range u.Members {
					in = append(in, names[m.Group]+" ("+strings.Join(m.Roles, ", ")+")")
				}
				rows = append(rows, []string{u.Name, u.Display, yes(u.Admin), yes(u.Disabled), strings.Join(in, "; "), when(u.Created)})
			}
			table(w, "NAME DISPLAY ADMIN DISABLED GROUPS CREATED", rows)
		})
	})
	return cmd
}

// groupTitles gives the names of groups by their ids.
func groupTitles(ctx context.Context, c *client.Client) (map[string]string, error) {
	groups, err := all(ctx, 0, func(cursor string) (client.List[client.Group], error) { return c.Groups(ctx, cursor) })
	names := map[string]string{}
	for _, g := range groups {
		names[g.ID] = g.Name
	}
	return names, err
}

func newUserDisable(r *remote, disable bool) *cobra.Command {
	use, short, word, why := "enable NAME", "Give a person access again", "enabled", "is back"
	if disable {
		use, short, word, why = "disable NAME", "End a person's access, sessions and tokens", "disabled", "left the ward"
	}
	cmd := &cobra.Command{Use: use, Short: short, Example: fmt.Sprintf("  edgeward user %s alice --reason %q", strings.TrimSuffix(use, " NAME"), why), Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(userNames)}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.SetDisabled(ctx, args[0], disable, *reason); err != nil {
			return err
		}
		return r.done(word, args[0])
	})
	return cmd
}

func newUserPassword(r *remote) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "password NAME", Short: "Set a person's password", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(userNames),
		Example: "  edgeward user password alice --password-file - < secret"}
	cmd.Flags().StringVar(&file, "password-file", "", "`file` with the password; - is standard input")
	must(cmd.MarkFlagRequired("password-file"))
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		p, err := r.password(file)
		if err != nil {
			return err
		}
		if err := c.SetPassword(ctx, args[0], p, *reason); err != nil {
			return err
		}
		return r.done("password set for", args[0])
	})
	return cmd
}
