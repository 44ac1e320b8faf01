package serve_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

func digest(v int) edgeward.Digest { return edgeward.DigestOf(fmt.Append(nil, v)) }

// because is a change by ada who saw revision n.
func because(n uint64) serve.Change {
	return serve.Change{Revision: n, By: "ada", Reason: "better on 90 days", At: time.Unix(1, 0)}
}

func must(s serve.Spec, err error) serve.Spec {
	if err != nil {
		panic(err)
	}
	return s
}

// text draws a spec: "live 1, canary 2 at 1000, shadow 3, previous 4".
func text(s serve.Spec) string {
	out := ""
	for _, t := range s.Targets {
		if out != "" {
			out += ", "
		}
		out += fmt.Sprintf("%s %d", t.Role, t.Version)
		if t.Weight > 0 {
			out += fmt.Sprintf(" at %d", t.Weight)
		}
	}
	for _, v := range s.Variants {
		out += fmt.Sprintf(", variant %s %d", v.Name, v.Version)
	}
	if s.Previous != nil {
		out += fmt.Sprintf(", previous %d", s.Previous.Version)
	}
	return out
}

func TestChangesOfASpec(t *testing.T) {
	one := must(serve.Spec{}.Promote(because(0), 1, digest(1)))
	two := must(one.Promote(because(1), 2, digest(2)))
	canary := must(two.Canary(because(2), 3, digest(3), 1000))
	shadow := must(canary.Shadow(because(3), 4, digest(4)))
	tested := must(must(shadow.Variant(because(4), "old", 2, digest(2))).Variant(because(5), "new", 5, digest(5)))
	for name, c := range map[string]struct {
		do         func() (serve.Spec, error)
		want, code string
	}{
		"the first promotion has nothing before it":            {func() (serve.Spec, error) { return serve.Spec{}.Promote(because(0), 1, digest(1)) }, "live 1", ""},
		"a promotion remembers the version before":             {func() (serve.Spec, error) { return one.Promote(because(1), 2, digest(2)) }, "live 2, previous 1", ""},
		"a canary stands beside the live version":              {func() (serve.Spec, error) { return two.Canary(because(2), 3, digest(3), 1000) }, "live 2, canary 3 at 1000, previous 1", ""},
		"a shadow stands beside both":                          {func() (serve.Spec, error) { return canary.Shadow(because(3), 4, digest(4)) }, "live 2, canary 3 at 1000, shadow 4, previous 1", ""},
		"a shadow becomes a canary":                            {func() (serve.Spec, error) { return shadow.Canary(because(4), 4, digest(4), 500) }, "live 2, canary 3 at 1000, canary 4 at 500, previous 1", ""},
		"a canary is promoted, the others stay":                {func() (serve.Spec, error) { return shadow.Promote(because(4), 3, digest(3)) }, "live 3, shadow 4, previous 2", ""},
		"the previous version as a shadow is no more previous": {func() (serve.Spec, error) { return two.Shadow(because(2), 1, digest(1)) }, "live 2, shadow 1", ""},
		"a roll back leaves only the known good":               {func() (serve.Spec, error) { return shadow.Rollback(because(4)) }, "live 1, previous 2", ""},
		"a second roll back undoes the first":                  {func() (serve.Spec, error) { return must(two.Rollback(because(2))).Rollback(because(3)) }, "live 2, previous 1", ""},
		"a stop leaves nothing but what to return to":          {func() (serve.Spec, error) { return shadow.Stop(because(4)) }, ", previous 2", ""},
		"a roll back starts again":                             {func() (serve.Spec, error) { return must(two.Stop(because(2))).Rollback(because(3)) }, "live 2", ""},
		"stopping what is stopped is refused":                  {func() (serve.Spec, error) { return must(two.Stop(because(2))).Stop(because(3)) }, "", "endpoint.no_live"},
		"a weight changes":                                     {func() (serve.Spec, error) { return shadow.Weights(because(4), map[int]int{3: 2500}) }, "live 2, canary 3 at 2500, shadow 4, previous 1", ""},
		"a shadow is withdrawn":                                {func() (serve.Spec, error) { return shadow.Withdraw(because(4), 4) }, "live 2, canary 3 at 1000, previous 1", ""},
		"a stale revision is refused":                          {func() (serve.Spec, error) { return two.Rollback(because(1)) }, "", "endpoint.stale"},
		"a change without a reason is refused":                 {func() (serve.Spec, error) { return two.Rollback(serve.Change{Revision: 2, By: "ada", Reason: " "}) }, "", "endpoint.reason"},
		"a change by nobody is refused":                        {func() (serve.Spec, error) { return two.Rollback(serve.Change{Revision: 2, Reason: "why"}) }, "", "endpoint.reason"},
		"promoting the live version is refused":                {func() (serve.Spec, error) { return two.Promote(because(2), 2, digest(2)) }, "", "endpoint.already_live"},
		"a canary without a live version is refused":           {func() (serve.Spec, error) { return serve.Spec{}.Canary(because(0), 1, digest(1), 100) }, "", "endpoint.no_live"},
		"the live version as its own shadow is refused":        {func() (serve.Spec, error) { return two.Shadow(because(2), 2, digest(2)) }, "", "endpoint.already_live"},
		"a canary of nothing is refused":                       {func() (serve.Spec, error) { return two.Canary(because(2), 3, digest(3), 0) }, "", "endpoint.weight"},
		"canaries that leave nothing are refused":              {func() (serve.Spec, error) { return canary.Canary(because(3), 4, digest(4), 9000) }, "", "endpoint.weight"},
		"a weight of what is no canary is refused":             {func() (serve.Spec, error) { return shadow.Weights(because(4), map[int]int{4: 1}) }, "", "endpoint.no_canary"},
		"withdrawing the live version is refused":              {func() (serve.Spec, error) { return shadow.Withdraw(because(4), 2) }, "", "endpoint.live"},
		"withdrawing a stranger is refused":                    {func() (serve.Spec, error) { return shadow.Withdraw(because(4), 9) }, "", "endpoint.no_version"},
		"rolling back to nothing is refused":                   {func() (serve.Spec, error) { return one.Rollback(because(1)) }, "", "endpoint.no_previous"},
		"a digest that is none is refused":                     {func() (serve.Spec, error) { return two.Promote(because(2), 3, "sha256:x") }, "", "digest.invalid"},
		"a variant may be the live version":                    {func() (serve.Spec, error) { return two.Variant(because(2), "b", 2, digest(2)) }, "live 2, variant b 2, previous 1", ""},
		"a variant's name moves":                               {func() (serve.Spec, error) { return tested.Variant(because(6), "new", 6, digest(6)) }, "live 2, canary 3 at 1000, shadow 4, variant new 6, variant old 2, previous 1", ""},
		"a version has one name":                               {func() (serve.Spec, error) { return tested.Variant(because(6), "newer", 5, digest(5)) }, "live 2, canary 3 at 1000, shadow 4, variant newer 5, variant old 2, previous 1", ""},
		"a promotion keeps variants":                           {func() (serve.Spec, error) { return tested.Promote(because(6), 5, digest(5)) }, "live 5, canary 3 at 1000, shadow 4, variant new 5, variant old 2, previous 2", ""},
		"a variant is withdrawn, the live version stays":       {func() (serve.Spec, error) { return tested.Withdraw(because(6), 2) }, "live 2, canary 3 at 1000, shadow 4, variant new 5, previous 1", ""},
		"a roll back ends variants":                            {func() (serve.Spec, error) { return tested.Rollback(because(6)) }, "live 1, previous 2", ""},
		"a variant without a live version is refused":          {func() (serve.Spec, error) { return serve.Spec{}.Variant(because(0), "b", 1, digest(1)) }, "", "endpoint.no_live"},
		"a variant's name has a grammar":                       {func() (serve.Spec, error) { return two.Variant(because(2), "B!", 2, digest(2)) }, "", "name.invalid"},
		"version 0 is refused":                                 {func() (serve.Spec, error) { return two.Promote(because(2), 0, digest(3)) }, "", "endpoint.version"},
	} {
		t.Run(name, func(t *testing.T) {
			before := text(shadow)
			got, err := c.do()
			if edgeward.CodeOf(err) != c.code {
				t.Fatalf("got error %v, want code %q", err, c.code)
			}
			if err == nil && (text(got) != c.want || got.Check() != nil || got.By != "ada" || got.Reason == "") {
				t.Errorf("got  %s by %q\nwant %s", text(got), got.By, c.want)
			}
			if text(shadow) != before {
				t.Errorf("the spec it started from changed to %s", text(shadow))
			}
		})
	}
}

// TestAnySequenceOfChangesLeavesOneLiveVersion tries a thousand random changes: whatever is accepted is a spec that can be
// followed, and the revision grows by one.
func TestAnySequenceOfChangesLeavesOneLiveVersion(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := serve.Spec{}
	accepted := 0
	for range 1000 {
		v, c := r.IntN(10)+1, because(s.Revision)
		var next serve.Spec
		var err error
		switch r.IntN(6) {
		case 0:
			next, err = s.Promote(c, v, digest(v))
		case 1:
			next, err = s.Canary(c, v, digest(v), r.IntN(3000))
		case 2:
			next, err = s.Shadow(c, v, digest(v))
		case 3:
			next, err = s.Withdraw(c, v)
		case 4:
			next, err = s.Rollback(c)
		case 5:
			next, err = s.Variant(c, []string{"a", "b", "c"}[r.IntN(3)], v, digest(v))
		}
		if err != nil {
			continue
		}
		accepted++
		if next.Revision != s.Revision+1 {
			t.Fatalf("revision %d follows %d", next.Revision, s.Revision)
		}
		if err := next.Check(); err != nil {
			t.Fatalf("%s: %v", text(next), err)
		}
		if _, ok := next.Live(); !ok {
			t.Fatalf("%s: nobody is live", text(next))
		}
		s = next
	}
	if accepted < 300 {
		t.Errorf("only %d changes were accepted", accepted)
	}
}

// TestShareIsEven: the shares of many ids fall evenly, so that a canary of 10 % gets 10 %, and the same id always gets the
// same share.
func TestShareIsEven(t *testing.T) {
	var tenths [10]int
	const n = 20000
	var e [10]byte
	r := rand.New(rand.NewPCG(3, 4))
	for i := range n {
		for j := range e {
			e[j] = byte(r.Uint32())
		}
		var u ulid.ULID
		_ = u.SetTime(uint64(1700000000000 + i))
		_ = u.SetEntropy(e[:])
		s := serve.Share(u.String())
		if s >= serve.FullWeight || s != serve.Share(u.String()) {
			t.Fatalf("share %d of %s", s, u)
		}
		tenths[s/1000]++
	}
	for i, c := range tenths {
		if c < n/10-200 || c > n/10+200 { // 4.7 standard deviations
			t.Errorf("tenth %d has %d of %d ids", i, c, n)
		}
	}
}

func TestPlan(t *testing.T) {
	now := time.Unix(1000, 0)
	one := must(serve.Spec{}.Promote(because(0), 1, digest(1)))
	two := must(one.Promote(because(1), 2, digest(2)))
	full := must(must(two.Canary(because(2), 3, digest(3), 1000)).Shadow(because(3), 4, digest(4)))
	rolled := must(two.Rollback(because(2)))
	tested := must(one.Variant(because(1), "b", 2, digest(2)))
	listed := one
	listed.Targets = append(listed.Targets[:1:1], serve.Target{Version: 6, Digest: digest(6), Role: record.Direct})
	up := serve.Observed{Loaded: true}
	later := serve.Observed{NotBefore: now.Add(time.Second)}
	never := serve.Observed{Final: true, NotBefore: now}
	condemned := serve.Observed{Loaded: true, Condemned: true}
	broken := serve.Observed{Loaded: true, Broken: true}
	type seen = map[int]serve.Observed
	for name, c := range map[string]struct {
		spec serve.Spec
		last int
		seen seen
		want string
	}{
		"nothing wanted, nothing done":                         {serve.Spec{}, 0, seen{}, "pending: load [] live 0 canaries [] shadows [] drop []"},
		"the first version is loaded":                          {one, 0, seen{}, "pending: load [1] live 0 canaries [] shadows [] drop []"},
		"a loaded version answers":                             {one, 0, seen{1: up}, "ready: load [] live 1 canaries [] shadows [] drop []"},
		"the old one answers while the new one is loaded":      {two, 1, seen{1: up}, "pending: load [2] live 1 canaries [] shadows [] drop []"},
		"the new one answers, the old one stays for roll back": {two, 1, seen{1: up, 2: up}, "ready: load [] live 2 canaries [] shadows [] drop []"},
		"the last good one answers when the new one fails":     {two, 1, seen{1: up, 2: never}, "degraded: load [] live 1 canaries [] shadows [] drop []"},
		"a failed load is tried again later":                   {two, 1, seen{1: up, 2: later}, "degraded: load [] live 1 canaries [] shadows [] drop [] retry"},
		"a first version that fails leaves nobody":             {one, 0, seen{1: never}, "failed: load [] live 0 canaries [] shadows [] drop []"},
		"canary and shadow are routed when they are there":     {full, 2, seen{1: up, 2: up, 3: up, 4: up}, "ready: load [] live 2 canaries [3] shadows [4] drop []"},
		"a missing shadow does not stop the others":            {full, 2, seen{1: up, 2: up, 3: up, 4: never}, "degraded: load [] live 2 canaries [3] shadows [] drop []"},
		"a missing previous version is no harm":                {two, 2, seen{2: up, 1: never}, "ready: load [] live 2 canaries [] shadows [] drop []"},
		"a bad version never answers because it was live once": {rolled, 0, seen{2: up, 1: never}, "failed: load [] live 0 canaries [] shadows [] drop []"},
		"stopped, nothing stays loaded":                        {must(two.Stop(because(2))), 2, seen{1: up, 2: up}, "pending: load [] live 0 canaries [] shadows [] drop [1 2]"},
		"what nobody wants is dropped":                         {one, 1, seen{1: up, 5: up, 7: up}, "ready: load [] live 1 canaries [] shadows [] drop [5 7]"},
		"the last good one is kept although nobody wants it":   {one, 9, seen{1: later, 9: up}, "degraded: load [] live 9 canaries [] shadows [] drop [] retry"},
		"a variant is loaded like a target":                    {tested, 1, seen{1: up}, "pending: load [2] live 1 canaries [] shadows [] drop []"},
		"a variant that fails degrades":                        {tested, 1, seen{1: up, 2: never}, "degraded: load [] live 1 canaries [] shadows [] drop []"},
		"a version of the policy that fails is no harm":        {listed, 1, seen{1: up, 6: never}, "ready: load [] live 1 canaries [] shadows [] drop []"},
		"a version of the policy is loaded":                    {listed, 1, seen{1: up}, "ready: load [6] live 1 canaries [] shadows [] drop []"},
		"the previous version answers for one in quarantine":   {two, 2, seen{1: up, 2: condemned}, "degraded: load [] live 1 canaries [] shadows [] drop [2]"},
		"and after a restart, when it is not loaded":           {two, 0, seen{1: up, 2: {Condemned: true}}, "degraded: load [] live 1 canaries [] shadows [] drop []"},
		"but not one that was rolled back from":                {rolled, 1, seen{2: up, 1: condemned}, "failed: load [] live 0 canaries [] shadows [] drop [1]"},
		"a canary in quarantine answers nobody":                {full, 2, seen{1: up, 2: up, 3: condemned, 4: up}, "degraded: load [] live 2 canaries [] shadows [4] drop [3]"},
		"one that belongs into another worker is moved":        {two, 2, seen{1: up, 2: {Loaded: true, Moves: true}}, "ready: load [2] live 2 canaries [] shadows [] drop []"},
		"and stays where it is when that fails":                {two, 2, seen{1: up, 2: {Loaded: true, Moves: true, Final: true}}, "ready: load [] live 2 canaries [] shadows [] drop []"},
		"and is tried again later":                             {two, 2, seen{1: up, 2: {Loaded: true, Moves: true, NotBefore: later.NotBefore}}, "ready: load [] live 2 canaries [] shadows [] drop [] retry"},
		"one on another device than was wanted degrades":       {one, 1, seen{1: {Loaded: true, Elsewhere: true}}, "degraded: load [] live 1 canaries [] shadows [] drop []"},
		"one of the policy there is no harm":                   {listed, 1, seen{1: up, 6: {Loaded: true, Elsewhere: true}}, "ready: load [] live 1 canaries [] shadows [] drop []"},
		"a broken version is loaded beside itself":             {one, 1, seen{1: broken}, "degraded: load [1] live 1 canaries [] shadows [] drop []"},
	} {
		t.Run(name, func(t *testing.T) {
			p := serve.MakePlan(c.spec, c.last, c.seen, now)
			versions := func(ts []serve.Target) []int {
				out := []int{}
				for _, t := range ts {
					out = append(out, t.Version)
				}
				return out
			}
			got := fmt.Sprintf("%s: load %v live %d canaries %v shadows %v drop %v", p.State, versions(p.Load), p.Route.Live, versions(p.Route.Canaries), p.Route.Shadows, p.Drop)
			if !p.Retry.IsZero() {
				got += " retry"
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestEndpointCheck(t *testing.T) {
	good := serve.Endpoint{Group: "ward", Name: "beds", Kind: serve.Forecast, Model: "beds", Record: record.Features}
	for name, c := range map[string]struct {
		change func(*serve.Endpoint)
		code   string
	}{
		"a good one":        {func(*serve.Endpoint) {}, ""},
		"a device":          {func(e *serve.Endpoint) { e.Device, e.DeviceRequired = "cuda:1", true }, ""},
		"no device":         {func(e *serve.Endpoint) { e.Device = "gpu" }, "device.wish"},
		"any, required":     {func(e *serve.Endpoint) { e.DeviceRequired = true }, "endpoint.invalid"},
		"a bad name":        {func(e *serve.Endpoint) { e.Name = "Beds" }, "name.invalid"},
		"no model":          {func(e *serve.Endpoint) { e.Model = "" }, "name.invalid"},
		"no group":          {func(e *serve.Endpoint) { e.Group = "" }, "endpoint.invalid"},
		"an unheard kind":   {func(e *serve.Endpoint) { e.Kind = "llm" }, "endpoint.invalid"},
		"an unheard policy": {func(e *serve.Endpoint) { e.Record = "all" }, "endpoint.invalid"},
		"a rate": {func(e *serve.Endpoint) {
			e.Rate, e.PrincipalRate.PerSecond = serve.Limit{PerSecond: 0.5, Burst: 10}, 100
		}, ""},
		"a bad rate":      {func(e *serve.Endpoint) { e.PrincipalRate.PerSecond = math.NaN() }, "endpoint.limit"},
		"a burst of none": {func(e *serve.Endpoint) { e.Rate.Burst = 5 }, "endpoint.limit"},
		"bad versions":    {func(e *serve.Endpoint) { e.Versions = "latest" }, "endpoint.versions"},
		"a bad limit":     {func(e *serve.Endpoint) { e.MaxInFlight = -1 }, "endpoint.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good
			c.change(&e)
			if err := e.Check(); edgeward.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %q", err, c.code)
			}
		})
	}
}
