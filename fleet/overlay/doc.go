// Package overlay is what persons say of the fleet in files: documents of a few kinds, each about a part of the fleet, and how they are
// laid over one another. It is pure: no clock, no I/O. fleet/hub keeps the documents and renders each node's from them.
//
// # Kinds
//
//	selection   a name for the nodes that a selector means (fleet/selector)
//	site        a site's title, and its time zone, which windows without one take
//	node        where a node stands: site, pair, tags. Kept with the node, not as a document
//	windows     when a node may download, and when another version may begin to answer
//	bandwidth   how fast bytes may come, by time of day
//	endpoint    title, probation and version of an endpoint of a group
//	autonomy    what nodes may do by themselves while the hub is away
//	claim       a server that is expected: where it is to stand, and whether it is let in without a person
//
// Windows, bandwidth, autonomy and endpoints have a scope: "fleet", "selection/NAME", "site/NAME" or "node/NAME".
//
// # How they are laid over one another
//
// Fleet, then selections (by order, then name), then site, then node: the last wins. Lists are merged by the names of their entries, and an
// entry with "absent" takes one away that came from further up. Of an endpoint each setting that is there replaces the one further up. The same
// documents give the same result in whatever order they came.
//
// # What they may not do
//
// A version is never put on a node by a document: hub starts a rollout for it, whose waves and gates count as for any other.
package overlay

import (
	"cmp"
	"strings"

	"edgeward"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// Kind is what a document is about.
type Kind string

// The kinds.
const (
	Selection Kind = "selection"
	Site      Kind = "site"
	Node      Kind = "node"
	Windows   Kind = "windows"
	Bandwidth Kind = "bandwidth"
	Autonomy  Kind = "autonomy"
	Endpoint  Kind = "endpoint"
	Claim     Kind = "claim"
)

// Document is one of them. Which fields may be there depends on Kind; Check says.
type Document struct {
	Kind   Kind   `json:"kind" yaml:"kind" enum:"selection,site,node,windows,bandwidth,autonomy,endpoint,claim"`
	Name   string `json:"name,omitempty" yaml:"name,omitempty" doc:"of a selection, site, node (or its id), endpoint or claim"`
	Scope  string `json:"scope,omitempty" yaml:"scope,omitempty" doc:"of windows, bandwidth, autonomy and endpoint: fleet, selection/NAME, site/NAME or node/NAME; none: fleet"`
	Absent bool   `json:"absent,omitempty" yaml:"absent,omitempty" doc:"the document is taken away"`

	Select string `json:"select,omitempty" yaml:"select,omitempty" doc:"of a selection: which nodes"`
	Order  int    `json:"order,omitempty" yaml:"order,omitempty" doc:"of a selection: later ones win; 0 to 1000"`

	Title string `json:"title,omitempty" yaml:"title,omitempty" doc:"of a site or endpoint, for people"`
	Zone  string `json:"zone,omitempty" yaml:"zone,omitempty" doc:"of a site: its time zone"`

	Site string            `json:"site,omitempty" yaml:"site,omitempty" doc:"of a node or claim"`
	Pair string            `json:"pair,omitempty" yaml:"pair,omitempty" doc:"of a node or claim: the redundant pair it belongs to"`
	Tags map[string]string `json:"tags,omitempty" yaml:"tags,omitempty" doc:"of a node or claim; replaces all"`

	Windows []Window `json:"windows,omitempty" yaml:"windows,omitempty"`
	Rates   []Rate   `json:"rates,omitempty" yaml:"rates,omitempty"`

	Autonomy spec.Mode   `json:"autonomy,omitempty" yaml:"autonomy,omitempty" enum:"none,local-promote" doc:"of autonomy: what nodes may do by themselves while the hub is away"`
	After    spec.Length `json:"after,omitzero" yaml:"after,omitempty" doc:"of autonomy: how long the hub must have been away, such as 72h"`
	Always   bool        `json:"always,omitempty" yaml:"always,omitempty" doc:"of autonomy: in place of after: while the hub is there too"`
	Take     spec.Take   `json:"take,omitempty" yaml:"take,omitempty" enum:"own,site" doc:"of autonomy: whose promotions a person on a server may take: nobody else's, or those of the site's other servers"`

	Group     string     `json:"group,omitempty" yaml:"-" doc:"of an endpoint: always the caller's"`
	Version   string     `json:"version,omitempty" yaml:"version,omitempty" doc:"of an endpoint: MODEL/VERSION; a rollout brings it"`
	Probation *Probation `json:"probation,omitempty" yaml:"probation,omitempty" doc:"of an endpoint"`
	Rollout   *Rollout   `json:"rollout,omitempty" yaml:"rollout,omitempty" doc:"of an endpoint with a version: how it is rolled out"`

	Serial  string `json:"serial,omitempty" yaml:"serial,omitempty" doc:"of a claim: serial number of the machine"`
	Machine string `json:"machine,omitempty" yaml:"machine,omitempty" doc:"of a claim: id of the installed system"`
	Host    string `json:"host,omitempty" yaml:"host,omitempty" doc:"of a claim: the server's name"`
	Approve bool   `json:"approve,omitempty" yaml:"approve,omitempty" doc:"of a claim: who matches and has a code is let in without a person"`
}

// Window is a maintenance window, or the name of one that is taken away.
type Window struct {
	spec.Window `yaml:",inline"`
	Absent      bool `json:"absent,omitempty" yaml:"absent,omitempty"`
}

// Rate is a rate, or the name of one that is taken away.
type Rate struct {
	spec.Rate `yaml:",inline"`
	Absent    bool `json:"absent,omitempty" yaml:"absent,omitempty"`
}

// Probation is spec.Probation as people write it. What is not there stays as it is.
type Probation struct {
	Requests int         `json:"requests,omitempty" yaml:"requests,omitempty"`
	Longest  spec.Length `json:"longest,omitzero" yaml:"longest,omitempty"`
	Quiet    string      `json:"quiet,omitempty" yaml:"quiet,omitempty"`
	Disagree float64     `json:"disagree,omitempty" yaml:"disagree,omitempty"`
	Shift    float64     `json:"shift,omitempty" yaml:"shift,omitempty"`
	Errors   float64     `json:"errors,omitempty" yaml:"errors,omitempty"`
	Slower   float64     `json:"slower,omitempty" yaml:"slower,omitempty"`
	Memory   float64     `json:"memory,omitempty" yaml:"memory,omitempty"`
	Unlike   bool        `json:"allow_unlike,omitempty" yaml:"allow_unlike,omitempty"`
}

// Rollout is how a version is rolled out.
type Rollout struct {
	Waves   []string    `json:"waves,omitempty" yaml:"waves,omitempty" doc:"counts and shares: 1, 10%, 100%"`
	Soak    spec.Length `json:"soak,omitzero" yaml:"soak,omitempty"`
	Approve bool        `json:"approve,omitempty" yaml:"approve,omitempty" doc:"another person must approve it first"`
}

// Key names a document among those of its kind. Two with the same key are the same document in two states.
func (d Document) Key() string {
	switch d.Kind {
	case Windows, Bandwidth, Autonomy:
		return string(d.Kind) + " " + d.Scope
	case Endpoint:
		return string(d.Kind) + " " + d.Scope + " " + d.Group + "/" + d.Name
	}
	return string(d.Kind) + " " + d.Name
}

// Over returns p with what o says in place of what it says not.
func (o Probation) Over(p spec.Probation) spec.Probation {
	return spec.Probation{Requests: cmp.Or(o.Requests, p.Requests), Longest: cmp.Or(o.Longest.Duration(), p.Longest), Quiet: cmp.Or(o.Quiet, p.Quiet), Disagree: cmp.Or(o.Disagree, p.Disagree),
		Shift: cmp.Or(o.Shift, p.Shift), Errors: cmp.Or(o.Errors, p.Errors), Slower: cmp.Or(o.Slower, p.Slower), Memory: cmp.Or(o.Memory, p.Memory), Unlike: o.Unlike || p.Unlike}
}

// Server is what is known of a node. It is what selectors and claims are held against.
type Server struct {
	ID, Site, Pair, Standing string
	Tags                     map[string]string
	Facts                    spec.Facts
}

// Tag returns a tag or one of the reserved keys.
func (s Server) Tag(key string) (string, bool) {
	switch key {
	case "arch":
		return s.Facts.Arch, s.Facts.Arch != ""
	case "name":
		return s.Facts.Name, s.Facts.Name != ""
	case "os":
		return s.Facts.OS, s.Facts.OS != ""
	case "pair":
		return s.Pair, s.Pair != ""
	case "site":
		return s.Site, s.Site != ""
	case "standing":
		return s.Standing, s.Standing != ""
	case "version":
		return s.Facts.Version, s.Facts.Version != ""
	}
	v, ok := s.Tags[key]
	return v, ok
}

// Scopes with a name after them.
const (
	Everywhere  = "fleet"
	inSelection = "selection/"
	inSelector  = "select/"
	inSite      = "site/"
	inNode      = "node/"
)

// SelectorScope is the scope of the nodes that s means; only rollouts have such a one.
func SelectorScope(s selector.Selector) string { return inSelector + s.String() }

func invalid(format string, args ...any) *edgeward.Error {
	return edgeward.E("overlay", edgeward.Invalid, "fleet.overlay", format, args...).WithHint("docs/fleet.md, Say how the fleet is to run, shows each kind; edgeward fleet overlay export writes what holds now")
}

// words is a document as messages name it.
func (d Document) words() string {
	return strings.TrimSpace(string(d.Kind) + " " + cmp.Or(d.Name, d.Scope))
}
