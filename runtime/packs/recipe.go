package packs

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"edgeward"
)

// A Recipe says from which wheels a pack is made, each pinned by sha256.
type Recipe struct {
	Ref
	Platform string   `json:"platform"`
	Engine   string   `json:"engine"`
	Devices  []string `json:"devices"`
	Driver   string   `json:"driver,omitempty"`
	About    string   `json:"about"`
	Wheels   []Wheel  `json:"wheels"`
	Library  string   `json:"library"`
	Cuts     []Cut    `json:"files"`
}

// A Wheel is a package of the Python package index.
type Wheel struct {
	Package string   `json:"package"`
	Version string   `json:"version"`
	Licence string   `json:"licence"` // SPDX expression
	File    string   `json:"file"`
	Size    int64    `json:"size"`
	SHA256  string   `json:"sha256"`
	Texts   []string `json:"texts"` // licence texts, by path in the wheel
}

// A Cut is a file taken out of a wheel; its name is the last part of its path.
type Cut struct {
	Package string `json:"package"`
	Path    string `json:"path"`
	Preload bool   `json:"preload,omitempty"`
}

func (c Cut) name() string { return path.Base(c.Path) }

//go:embed recipes.json
var recipes []byte

// Recipes are those of this program.
var Recipes = sync.OnceValue(func() []Recipe {
	var all []Recipe
	if err := json.Unmarshal(recipes, &all); err != nil {
		panic("packs: recipes.json: " + err.Error()) // a test reads it
	}
	return all
})

// RecipeOf returns the recipe of a name, with its version or without.
func RecipeOf(name string) (Recipe, error) {
	all := Recipes()
	i := slices.IndexFunc(all, func(r Recipe) bool { return r.Name == name || r.Ref.String() == name })
	if i < 0 {
		var known []string
		for _, r := range all {
			known = append(known, r.Name)
		}
		return Recipe{}, edgeward.E("packs.Recipe", edgeward.NotFound, "runtime.no_recipe", "there is no recipe %.60q", name).
			WithHint("known are %s", strings.Join(known, ", "))
	}
	return all[i], nil
}

// Requirements are the recipe's wheels as pip reads them, with their hashes.
func (r Recipe) Requirements() string {
	var b strings.Builder
	for _, w := range r.Wheels {
		fmt.Fprintf(&b, "%s==%s --hash=sha256:%s\n", w.Package, w.Version, w.SHA256)
	}
	return b.String()
}

// Download is the command that lays the wheels into the folder wheels on a connected machine, whatever its Python.
func (r Recipe) Download() string {
	var tags []string
	for _, w := range r.Wheels {
		_, tag, _ := cutLast(strings.TrimSuffix(w.File, ".whl"), "-")
		for t := range strings.SplitSeq(tag, ".") {
			if arg := "--platform " + t; !slices.Contains(tags, arg) {
				tags = append(tags, arg)
			}
		}
	}
	return "pip download --no-deps --require-hashes --only-binary=:all: --implementation cp --python-version 3.11 " + strings.Join(tags, " ") + " -d wheels -r requirements.txt"
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Size is the bytes of all wheels.
func (r Recipe) Size() (n int64) {
	for _, w := range r.Wheels {
		n += w.Size
	}
	return n
}
