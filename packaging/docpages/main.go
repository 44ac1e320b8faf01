// Command docpages writes the parts of docs/ that are read out of the source, so that they cannot tell another story:
//
//	docs/errors.md   every error code with its kind, hint and the packages it comes from
//	docs/access.md   between two marker lines, the table of roles and verbs of node/auth
//
// Run it in the repository's root: go run ./packaging/docpages. A test compares what it would write with what is there,
// and checks that every link between the pages leads somewhere.
package main

import (
	"fmt"
	"os"
)

func main() {
	pages, err := pages(".")
	for path, text := range pages {
		if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "docpages:", err)
		os.Exit(1)
	}
}

// pages are the pages as they should be, by path.
func pages(root string) (map[string]string, error) {
	codes, err := codesOf(root)
	if err != nil {
		return nil, err
	}
	access := root + "/docs/access.md"
	old, err := os.ReadFile(access)
	if err != nil {
		return nil, err
	}
	withRoles, err := replaceRoles(string(old))
	return map[string]string{root + "/docs/errors.md": errorsPage(codes), access: withRoles}, err
}
