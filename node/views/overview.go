package views

import (
	"context"
	"fmt"
	"slices"

	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Overview is the first page of a group: what needs a person, then how everything does.
func (v *Views) Overview(ctx context.Context, group string) (wire.Overview, error) {
	out := wire.Overview{Needs: []wire.Need{}, Endpoints: []wire.EndpointLine{}, Jobs: []wire.JobLine{}, Counts: map[string]int{}, Health: v.Health()}
	for _, r := range out.Health.Reasons {
		out.Needs = append(out.Needs, wire.Need{Severity: 2, Code: "node.degraded", Text: r, Link: "/settings", Since: v.Now()})
	}
	all := store.Page{Limit: 1000}
	endpoints, _, err := v.Store.ListEndpoints(ctx, group, all)
	if err != nil {
		return out, err
	}
	for _, d := range endpoints {
		line, needs := v.line(d)
		out.Endpoints = append(out.Endpoints, line)
		out.Needs = append(out.Needs, needs...)
	}
	newestJobs, _, err := v.Store.ListJobs(ctx, group, store.Page{Limit: 8})
	if err != nil {
		return out, err
	}
	for _, j := range newestJobs {
		out.Jobs = append(out.Jobs, wire.JobLine{ID: j.ID, Title: j.Title, State: string(j.State), At: j.Created})
		if j.State == jobs.Failed {
			out.Needs = append(out.Needs, wire.Need{Severity: 1, Code: "job.failed", Text: "Job failed: " + j.Title, Link: "/jobs/" + j.ID, Since: j.Created})
		}
	}
	models, _, err := v.Store.ListModels(ctx, group, all)
	if err != nil {
		return out, err
	}
	for _, m := range models {
		behind, err := v.Store.EndpointsOf(ctx, group, m.Name)
		if err != nil {
			return out, err
		}
		if len(behind) == 0 && m.Latest > 0 {
			out.Needs = append(out.Needs, wire.Need{Severity: 1, Code: "model.idle", Text: fmt.Sprintf("Model %s has %d version(s) and answers nowhere", m.Name, m.Latest), Link: "/models/" + m.Name, Since: m.Created})
		}
	}
	sets, _, err := v.Store.ListDatasets(ctx, group, all)
	if err != nil {
		return out, err
	}
	out.Counts["endpoints"], out.Counts["models"], out.Counts["data_sets"] = len(endpoints), len(models), len(sets)
	slices.SortStableFunc(out.Needs, func(a, b wire.Need) int { return b.Severity - a.Severity })
	return out, nil
}

// line is an endpoint in one line and what it needs of a person.
func (v *Views) line(d serve.Deployment) (wire.EndpointLine, []wire.Need) {
	key, name := d.Endpoint.Key(), d.Endpoint.Name
	status, _ := v.Serve.Status(key)
	b := v.Monitor.Brief(key)
	l := wire.EndpointLine{Name: name, Title: d.Endpoint.Title, Version: status.Live, State: string(status.State), Phase: b.Phase, Drift: b.Drift, Demo: d.Endpoint.Demo}
	if m, ok := v.Serve.Metrics(key); ok {
		for _, c := range m.Versions {
			if slices.Contains(answered, c.Role) {
				l.Requests += c.Requests
				l.P95Ms = max(l.P95Ms, float64(serve.Quantile(c.Latency, 0.95))/1000)
			}
		}
	}
	recent := v.latest(key, 120)
	n := 0.0
	for _, p := range recent {
		if p.Truth != nil {
			l.MAE += abs(*p.Truth - p.Forecast)
			n++
		}
	}
	if n > 0 {
		l.MAE /= n
	}
	var needs []wire.Need
	add := func(severity int, code, text, link string) {
		needs = append(needs, wire.Need{Severity: severity, Code: code, Text: text, Link: link, Since: status.At})
	}
	for _, q := range status.Quarantined {
		add(3, "version.quarantined", fmt.Sprintf("Version %d of endpoint %s ended its worker again and again and is in quarantine", q.Version, name), "/endpoints/"+name)
	}
	switch status.State {
	case serve.Failed:
		add(3, "endpoint.failed", "Endpoint "+name+" answers nobody", "/endpoints/"+name)
	case serve.Degraded:
		add(2, "endpoint.degraded", "Endpoint "+name+" is degraded: something wanted is not loaded", "/endpoints/"+name)
	case serve.Pending:
		if len(d.Spec.Targets) == 0 {
			add(1, "endpoint.empty", "Endpoint "+name+" has no version yet: promote one", "/endpoints/"+name)
		}
	}
	if b.Phase == string(loop.Approving) {
		add(3, "candidate.approval", "A candidate for "+name+" waits for approval", "/candidates")
	}
	if b.Alert {
		add(2, "alert.firing", "The forecasts of "+name+" have drifted from the truth", "/drift/"+name)
	}
	return l, needs
}

// latest are the newest n answers a client got.
func (v *Views) latest(key serve.Key, n int) (out []wire.SeriesPoint) {
	page, _ := v.Records.List(key.Group, key.Name, record.Query{Roles: answered}, 0, n)
	for _, s := range page {
		if len(s.Values) > 0 && s.Error == "" {
			out = append(out, wire.SeriesPoint{Forecast: s.Values[0], Truth: s.Truth})
		}
	}
	return out
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// Demo is where a group's demonstration stands; Present says whether any of its objects is there.
func (v *Views) Demo(ctx context.Context, group string) (wire.DemoStatus, error) {
	s, err := v.Store.Demo(ctx, group)
	if err != nil {
		return s, err
	}
	sets, _, err := v.Store.ListDatasets(ctx, group, store.Page{Limit: 1000})
	if err != nil {
		return s, err
	}
	for _, d := range sets {
		s.Present = s.Present || d.Demo
	}
	models, _, err := v.Store.ListModels(ctx, group, store.Page{Limit: 1000})
	for _, m := range models {
		s.Present = s.Present || m.Demo
	}
	return s, err
}
