// Package ui is the web page of a server: React and Mantine, built by Vite into dist, embedded.
//
// # Parties
//
// A browser gets every file from the server it belongs to and nothing from anywhere else: no CDN, no fonts, no
// telemetry. The page is the first client of /api/v1 and has no private routes; its types are generated from
// node/api/openapi.json. node/api serves Files and answers any path that is no file with index.html, because the page
// routes within itself.
//
// # Files
//
//	src/        the page: api (client, types, live feed), text (one message file per language), parts, pages
//	public/     files that are copied as they are; theme.js sets the colour scheme before the first paint
//	dist/       what was built, committed so that building the product needs no Node
//	e2e/        journeys in a real browser, and a small server of made-up answers for looking at pages
//	notices.json  licence texts of the npm packages inside dist
//
// # Guarantees
//
// File names in dist are stable, so caching goes by entity tag. The same sources and package-lock.json give the same
// bytes ("npm run fresh" compares). No inline script, so a content security policy may refuse them.
//
// # What a caller may not assume
//
// That dist holds one file per page: chunks come and go.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built page: index.html, assets and what it loads before that.
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: cannot happen
	}
	return sub
}
