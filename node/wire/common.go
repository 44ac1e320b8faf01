package wire

// List is one page of any list. Next is the cursor of the following page, "" on the last.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Problem is every error of /api/v1: RFC 9457 with our code, hint and request id.
type Problem struct {
	Type      string            `json:"type"`   // "about:blank" or a page of the product's own documentation
	Title     string            `json:"title"`  // the kind, for people
	Status    int               `json:"status"` // HTTP status
	Detail    string            `json:"detail,omitempty"`
	Kind      string            `json:"kind"`           // edgeward.Kind as text
	Code      string            `json:"code,omitempty"` // stable: "model.not_found"
	Hint      string            `json:"hint,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Errors    []FieldProblem    `json:"errors,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
}

// FieldProblem points at one field of a request.
type FieldProblem struct {
	Location string `json:"location,omitempty"` // "body.rows[3].age"
	Message  string `json:"message"`
}

// Health answers GET /api/v1/health.
type Health struct {
	State   string   `json:"state"` // listening, ready, degraded
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"` // why degraded, for people
	Version string   `json:"version"`
	Setup   bool     `json:"setup,omitempty"` // true while no administrator exists: open the printed link
	Demo    bool     `json:"demo,omitempty"`  // true while demonstration objects exist
}

// Setup makes the first administrator. Secret is the one of the printed link.
type Setup struct {
	Secret   string `json:"secret"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Login opens a session; the answer sets the cookie.
type Login struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

// Me says who is asking and what they may do.
type Me struct {
	Principal string              `json:"principal"` // "user:alice"
	Name      string              `json:"name"`
	Admin     bool                `json:"admin"`
	Group     string              `json:"group"`    // current group's name
	GroupID   string              `json:"group_id"` // and id
	Groups    []Membership        `json:"groups"`   // every group the principal belongs to
	May       map[string][]string `json:"may"`      // resource → verbs allowed in the current group
	Site      string              `json:"site"`
	Node      string              `json:"node"`
}

// Membership is a group and the roles held in it.
type Membership struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

// Reason is the body of every action that wants one.
type Reason struct {
	Reason string `json:"reason"`
}
