package overlay

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// allowed are the fields that a kind may have besides Kind and Absent.
var allowed = map[Kind][]string{
	Selection: {"Name", "Select", "Order", "Title"},
	Site:      {"Name", "Title", "Zone"},
	Node:      {"Name", "Site", "Pair", "Tags"},
	Windows:   {"Scope", "Windows"},
	Bandwidth: {"Scope", "Rates"},
	Autonomy:  {"Scope", "Autonomy", "After", "Always", "Take"},
	Endpoint:  {"Scope", "Name", "Group", "Title", "Version", "Probation", "Rollout"},
	Claim:     {"Name", "Site", "Pair", "Tags", "Serial", "Machine", "Host", "Approve"},
}

// maxTitle bounds a title in bytes.
const maxTitle = 200

// Settled returns d with the scope everywhere where it names none.
func (d Document) Settled() Document {
	if d.Scope == "" && slices.Contains(allowed[d.Kind], "Scope") {
		d.Scope = Everywhere
	}
	return d
}

// Check reports why d is no document. Whether the names in it exist is the hub's to check.
func (d Document) Check() error {
	may, ok := allowed[d.Kind]
	if !ok {
		return invalid("%.40q is no kind of document", string(d.Kind)).WithHint("selection, site, node, windows, bandwidth, autonomy, endpoint or claim")
	}
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Name != "Kind" && f.Name != "Absent" && !slices.Contains(may, f.Name) && !v.Field(i).IsZero() {
			return invalid("%s: a document of kind %s has no %s", d.words(), d.Kind, strings.Split(f.Tag.Get("json"), ",")[0])
		}
	}
	if err := d.checkNames(); err != nil {
		return err
	}
	if d.Absent {
		if d.Kind == Node {
			return invalid("node %.60q: a node is not taken away by a file", d.Name).WithHint("edgeward fleet node revoke, then forget")
		}
		return nil
	}
	switch d.Kind {
	case Selection:
		s, err := selector.Parse(d.Select)
		if err == nil && s.All() {
			err = invalid("selection %s selects nobody in particular", d.Name).WithHint("give select, such as line=3; for all nodes use the scope fleet")
		}
		return err
	case Site:
		return spec.Span{At: "00:00", For: spec.Length(time.Hour), Zone: d.Zone}.Check()
	case Node:
		if d.Site == "" && d.Pair == "" && d.Tags == nil {
			return invalid("node %s: nothing is said of it", d.Name)
		}
	case Windows, Bandwidth:
		return d.checkLists()
	case Autonomy:
		if d.Autonomy == "" {
			return invalid("%s: autonomy is none or local-promote", d.words())
		}
		return d.autonomy().Check()
	case Endpoint:
		return d.checkEndpoint()
	case Claim:
		if d.Serial == "" && d.Machine == "" && d.Host == "" {
			return invalid("claim %s says of no server how it is known", d.Name).WithHint("give serial, machine or host")
		}
	}
	return nil
}

func (d Document) checkNames() error {
	if len(d.Title) > maxTitle || len(d.Serial) > maxTitle || len(d.Machine) > maxTitle || len(d.Host) > maxTitle {
		return invalid("%s: a text is longer than %d bytes", d.words(), maxTitle)
	}
	if d.Order < 0 || d.Order > 1000 {
		return invalid("%s: order is 0 to 1000", d.words())
	}
	for _, n := range [][2]string{{"site", d.Site}, {"pair", d.Pair}, {"group", d.Group}} {
		if err := edgeward.CheckName(n[0], n[1]); err != nil && n[1] != "" {
			return err
		}
	}
	if err := selector.CheckTags(d.Tags); err != nil {
		return err
	}
	switch d.Kind {
	case Node:
		return checkNode(d.Name)
	case Windows, Bandwidth, Autonomy:
		return CheckScope(d.Scope)
	case Endpoint:
		if err := CheckScope(d.Scope); err != nil {
			return err
		}
	}
	return edgeward.CheckName(string(d.Kind), d.Name)
}

// checkNode reports why s is neither a node's name nor its id.
func checkNode(s string) error {
	if s == "" || len(s) > 64 || strings.ContainsAny(s, "/ \x00") {
		return invalid("%.70q is no node's name or id", s)
	}
	return nil
}

// CheckScope reports why s names no part of a fleet.
func CheckScope(s string) error {
	kind, name, _ := strings.Cut(s, "/")
	switch {
	case s == Everywhere:
		return nil
	case kind+"/" == inSelection, kind+"/" == inSite:
		return edgeward.CheckName(kind, name)
	case kind+"/" == inNode:
		return checkNode(name)
	}
	return edgeward.E("overlay.CheckScope", edgeward.Invalid, "fleet.scope", "%.80q names no part of the fleet", s).WithHint("say fleet, selection/NAME, site/NAME or node/NAME")
}

// autonomy is what an autonomy document says. The wider one does not show through: each says all.
func (d Document) autonomy() spec.Autonomy {
	return spec.Autonomy{Mode: d.Autonomy, After: d.After, Always: d.Always, Take: d.Take}
}

// checkLists checks windows and rates by name.
func (d Document) checkLists() error {
	if len(d.Windows)+len(d.Rates) == 0 || len(d.Windows)+len(d.Rates) > 50 {
		return invalid("%s: 1 to 50 entries are needed", d.words())
	}
	seen := map[string]bool{}
	for _, w := range d.Windows {
		if err := entry(seen, d, w.Name, w.Absent, w.Window, spec.Window{Name: w.Name}, w.Window.Check); err != nil {
			return err
		}
	}
	for _, r := range d.Rates {
		if err := entry(seen, d, r.Name, r.Absent, r.Rate, spec.Rate{Name: r.Name}, r.Rate.Check); err != nil {
			return err
		}
	}
	return nil
}

func entry(seen map[string]bool, d Document, name string, absent bool, is, bare any, check func() error) error {
	if seen[name] {
		return invalid("%s: %.60s stands twice", d.words(), name)
	}
	seen[name] = true
	if !absent {
		return check()
	}
	if !reflect.DeepEqual(is, bare) {
		return invalid("%s: of %.60s, which is taken away, nothing else is said", d.words(), name)
	}
	return edgeward.CheckName("entry", name)
}

func (d Document) checkEndpoint() error {
	if d.Title == "" && d.Version == "" && d.Probation == nil {
		return invalid("endpoint %s: nothing is said of it", d.Name).WithHint("give title, probation or version")
	}
	if d.Probation != nil {
		if err := d.Probation.Over(spec.Probation{}).Check(); err != nil {
			return err
		}
	}
	if d.Version == "" {
		if d.Rollout != nil {
			return invalid("endpoint %s: rollout needs version", d.Name)
		}
		return nil
	}
	if _, _, err := d.Pin(); err != nil {
		return err
	}
	p, err := d.Plan()
	if err != nil {
		return err
	}
	return p.Check()
}

// Pin is the version of an endpoint document: model and number.
func (d Document) Pin() (model string, number int, err error) {
	model, text, _ := strings.Cut(d.Version, "/")
	if err := edgeward.CheckName("model", model); err != nil {
		return "", 0, err
	}
	if number, err = strconv.Atoi(text); err != nil || number < 1 {
		return "", 0, invalid("endpoint %s: %.80q names no version", d.Name, d.Version).WithHint("write MODEL/VERSION, such as triage/3")
	}
	return model, number, nil
}

// Plan is how the version of an endpoint document is rolled out.
func (d Document) Plan() (p rollout.Plan, err error) {
	if d.Rollout == nil {
		return p, nil
	}
	p.Approve = d.Rollout.Approve
	p.Waves, err = rollout.ParseWaves(d.Rollout.Waves, d.Rollout.Soak.Duration())
	return p, err
}
