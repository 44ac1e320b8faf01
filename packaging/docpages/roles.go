package main

import (
	"errors"
	"slices"
	"strings"

	"edgeward/node/auth"
)

// The marker lines of docs/access.md.
const rolesFrom, rolesTo = "<!-- roles: written by packaging/docpages -->\n", "<!-- end of roles -->\n"

// replaceRoles puts the table between the markers of page.
func replaceRoles(page string) (string, error) {
	before, rest, ok := strings.Cut(page, rolesFrom)
	_, after, ok2 := strings.Cut(rest, rolesTo)
	if !ok || !ok2 {
		return "", errors.New("docs/access.md has lost its markers")
	}
	return before + rolesFrom + rolesTable() + rolesTo + after, nil
}

func rolesTable() string {
	var b strings.Builder
	b.WriteString("\n| Resource |")
	for _, r := range auth.Roles {
		b.WriteString(" " + string(r) + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(auth.Roles)) + "\n")
	for _, resource := range auth.Resources {
		b.WriteString("| " + string(resource) + " |")
		for _, role := range auth.Roles {
			var may []string
			for _, v := range auth.Verbs {
				if slices.Contains(auth.RolesFor(v, resource), role) {
					may = append(may, string(v))
				}
			}
			b.WriteString(" " + strings.Join(may, ", ") + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	return b.String()
}
