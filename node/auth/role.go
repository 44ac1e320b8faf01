package auth

import (
	"slices"

	"edgeward"
)

// Role is what a principal is on the node (Admin) or in its current group (all others).
type Role string

// The roles.
const (
	Admin     Role = "admin"     // the node: users, groups, settings, backup; no group's data
	Owner     Role = "owner"     // all of a group, its members and tokens included
	Scientist Role = "scientist" // data, training, versions, candidates; may not make a version answer
	Operator  Role = "operator"  // endpoints, promotion, rollback, alerts, jobs
	Reviewer  Role = "reviewer"  // reads all, approves candidates, labels, reads and exports the audit log
	Service   Role = "service"   // a machine: predicts, gives feedback, brings data
)

// Roles lists all roles, the node's first.
var Roles = []Role{Admin, Owner, Scientist, Operator, Reviewer, Service}

// ParseRole returns the role called s, or Invalid "role.unknown".
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles, Role(s)) {
		return Role(s), nil
	}
	return "", edgeward.E("auth.ParseRole", edgeward.Invalid, "role.unknown", "no role is called %.40q", s).
		WithHint("roles are admin, owner, scientist, operator, reviewer and service")
}

// Verb is what is done.
type Verb string

// The verbs.
const (
	Read     Verb = "read"     // one object, its contents
	List     Verb = "list"     // names and summaries
	Create   Verb = "create"   // a new object or version
	Update   Verb = "update"   // change what may change; acknowledge an alert
	Delete   Verb = "delete"   // remove
	Promote  Verb = "promote"  // decide which version answers: promote, shift, roll back
	Approve  Verb = "approve"  // decide about a candidate
	Predict  Verb = "predict"  // ask an endpoint
	Feedback Verb = "feedback" // tell the truth that came later
	Label    Verb = "label"    // annotate
	Cancel   Verb = "cancel"   // stop a job
	Export   Verb = "export"   // take out in bulk or for another machine: audit log, backup, model
)

// Verbs lists all verbs.
var Verbs = []Verb{Read, List, Create, Update, Delete, Promote, Approve, Predict, Feedback, Label, Cancel, Export}

// Resource is what it is done to.
type Resource string

// The resources. Those from Users on belong to the node or need care of their own.
const (
	Dataset    Resource = "dataset"
	Recipe     Resource = "recipe"
	Query      Resource = "query" // SQL over data sets; create runs one
	Model      Resource = "model"
	Version    Resource = "version"
	Candidate  Resource = "candidate"
	Run        Resource = "run" // experiments and their runs (MLflow)
	Job        Resource = "job"
	Pipeline   Resource = "pipeline"
	Loop       Resource = "loop" // retraining policy
	Endpoint   Resource = "endpoint"
	Prediction Resource = "prediction" // records of what was asked and answered: personal data
	Scoring    Resource = "scoring"    // of rows without a caller, its results and their deliveries
	Drift      Resource = "drift"      // monitors and reports
	Alert      Resource = "alert"
	LabelTask  Resource = "label_task"
	Blob       Resource = "blob"
	Event      Resource = "event" // the audit log of the current group; of the node for admin
	Metrics    Resource = "metrics"

	Users    Resource = "user"
	Groups   Resource = "group"
	Tokens   Resource = "token"
	Node     Resource = "node" // status, health in detail, flows
	Settings Resource = "settings"
	Backup   Resource = "backup"
	Runtime  Resource = "runtime" // runtime packs and the devices of this server
	Fleet    Resource = "fleet"   // members, rollouts
	Self     Resource = "self"    // one's own name, password, sessions, groups
	Demo     Resource = "demo"
)

// Resources lists all resources.
var Resources = []Resource{Dataset, Recipe, Query, Model, Version, Candidate, Run, Job, Pipeline, Loop, Endpoint, Prediction, Scoring,
	Drift, Alert, LabelTask, Blob, Event, Metrics, Users, Groups, Tokens, Node, Settings, Backup, Runtime, Fleet, Self, Demo}
