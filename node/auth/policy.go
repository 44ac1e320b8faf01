package auth

import "slices"

// Every role but service and admin reads a group's objects.
var (
	all     = []Role{Admin, Owner, Scientist, Operator, Reviewer, Service}
	members = []Role{Owner, Scientist, Operator, Reviewer}
	makers  = []Role{Owner, Scientist}
	runners = []Role{Owner, Operator}
	workers = []Role{Owner, Scientist, Operator}
	node    = []Role{Admin}
)

func plus(roles []Role, more ...Role) []Role { return append(slices.Clone(roles), more...) }

// table is the whole of the authorisation: resource, verb, the roles that may. What is not here is denied.
var table = map[Resource]map[Verb][]Role{
	Dataset: {
		Read: plus(members, Service), List: plus(members, Service),
		Create: plus(makers, Service), Update: makers, Delete: makers, Label: plus(members),
	},
	Recipe:    {Read: members, List: members, Create: makers, Update: makers, Delete: makers},
	Query:     {Read: makers, List: makers, Create: makers},
	Model:     {Read: plus(members, Service), List: plus(members, Service), Create: makers, Update: makers, Delete: makers, Export: workers},
	Version:   {Read: plus(members, Service), List: plus(members, Service), Create: makers, Update: makers, Delete: makers},
	Candidate: {Read: members, List: members, Create: workers, Update: workers, Approve: {Owner, Reviewer}},
	Run:       {Read: members, List: members, Create: makers, Update: makers, Delete: makers},
	Job:       {Read: members, List: members, Create: workers, Update: workers, Cancel: workers, Delete: workers},
	Pipeline:  {Read: members, List: members, Create: makers, Update: makers, Delete: makers},
	Loop:      {Read: members, List: members, Create: workers, Update: workers, Delete: workers},
	Endpoint: {
		Read: plus(members, Service), List: plus(members, Service), Create: runners, Update: runners, Delete: runners,
		Promote: runners, Predict: plus(members, Service), Feedback: plus(members, Service),
	},
	Prediction: {Read: members, List: members, Delete: {Owner}, Export: {Owner, Reviewer}},
	Scoring:    {Read: members, List: members, Create: workers, Update: workers, Delete: workers, Cancel: workers, Export: workers},
	Drift:      {Read: members, List: members, Create: workers, Update: workers, Delete: workers},
	Alert:      {Read: members, List: members, Create: workers, Update: plus(workers, Reviewer), Delete: workers},
	LabelTask:  {Read: members, List: members, Create: makers, Update: makers, Delete: makers, Label: members},
	Blob:       {Read: plus(members, Service), Create: plus(makers, Service)},
	Event:      {Read: plus(members, Admin), List: plus(members, Admin), Export: {Admin, Owner, Reviewer}},
	Metrics:    {Read: all, List: all},

	Users:    {Read: {Admin, Owner}, List: {Admin, Owner}, Create: node, Update: node, Delete: node},
	Groups:   {Read: plus(members, Admin), List: plus(members, Admin), Create: node, Update: {Admin, Owner}, Delete: node},
	Tokens:   {Read: plus(members, Admin), List: plus(members, Admin), Create: plus(workers, Admin), Delete: plus(workers, Admin)},
	Node:     {Read: plus(members, Admin), List: plus(members, Admin), Update: node},
	Settings: {Read: node, List: node, Update: node},
	Backup:   {Read: node, List: node, Create: node, Export: node},
	Runtime:  {Read: plus(members, Admin), List: plus(members, Admin), Create: node, Delete: node},
	Fleet:    {Read: plus(members, Admin), List: plus(members, Admin), Create: node, Update: {Admin, Operator}, Delete: node, Promote: {Admin, Operator}, Export: node},
	Self:     {Read: all, List: all, Update: all, Delete: all},
	Demo:     {Read: all, Create: {Admin, Owner}, Delete: {Admin, Owner}},
}

// Allowed reports whether one of the roles may do verb to resource. Nobody without a role may do anything.
func Allowed(roles []Role, verb Verb, resource Resource) bool {
	_, ok := grantedBy(roles, verb, resource)
	return ok
}

func grantedBy(roles []Role, verb Verb, resource Resource) (Role, bool) {
	may := table[resource][verb]
	for _, r := range roles {
		if slices.Contains(may, r) {
			return r, true
		}
	}
	return "", false
}

// RolesFor returns the roles that may do verb to resource, none when nobody may: the row of the table.
func RolesFor(verb Verb, resource Resource) []Role { return slices.Clone(table[resource][verb]) }
