package events

import (
	"strings"
	"time"
)

// Filter selects events; the zero Filter selects all. All given conditions must hold.
type Filter struct {
	Group     string    // exact group id
	Node      bool      // only events of the node itself (no group)
	Principal string    // exact, "user:alice"
	Action    string    // an action or its leading words: "model" matches "model.version.created"
	Kind      string    // object kind
	Name      string    // object name
	ID        string    // object id
	From, To  time.Time // From <= Time < To; zero: open
	NoDemo    bool      // leave out what the demonstration made
}

// Match reports whether e is selected.
func (f Filter) Match(e Event) bool {
	switch {
	case f.Group != "" && e.Group != f.Group,
		f.Node && e.Group != "",
		f.Principal != "" && e.Principal != f.Principal,
		f.Action != "" && e.Action != f.Action && !strings.HasPrefix(e.Action, f.Action+"."),
		f.Kind != "" && e.Object.Kind != f.Kind,
		f.Name != "" && e.Object.Name != f.Name,
		f.ID != "" && e.Object.ID != f.ID,
		!f.From.IsZero() && e.Time.Before(f.From),
		!f.To.IsZero() && !e.Time.Before(f.To),
		f.NoDemo && e.Demo:
		return false
	}
	return true
}
