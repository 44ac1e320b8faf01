package node

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"edgeward/node/scorer"
	"edgeward/node/wire"
	"edgeward/runtime/score"
	"edgeward/runtime/serve"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are read at each scrape from what the parts count anyway: nothing is counted twice.
type metrics struct {
	serve  *serve.Server
	fallen func() map[string]int
	models func() wire.ModelMemory
	sinks  func() []scorer.Count
	groups func() func(id string) string // the names of groups, as they are now
	triton triton

	requests, errors, refused, dropped, overloaded, limited, inFlight, deaths, latency, loaded, held, budget, quarantined, elsewhere *prometheus.Desc
	attempts, failures, deliveries                                                                                                   *prometheus.Desc
	runs, waiting, queued, computed                                                                                                  *prometheus.Desc
}

func newMetrics(n *Node) http.Handler {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("edgeward_"+name, help, labels, nil)
	}
	by := []string{"group", "endpoint", "version", "role"}
	m := &metrics{serve: n.serve, fallen: n.workers.fallen, models: n.workers.models, sinks: n.scorer.Counts, groups: n.groupNames, triton: newTriton(),
		requests:    desc("serve_requests_total", "Requests given to a version.", by...),
		errors:      desc("serve_errors_total", "Requests a version gave no answer to.", by...),
		refused:     desc("serve_refused_total", "Requests refused for their inputs.", by...),
		dropped:     desc("serve_shadow_dropped_total", "Shadow copies a full queue dropped.", by...),
		latency:     desc("serve_latency_seconds", "Time from request to answer.", by...),
		overloaded:  desc("serve_overloaded_total", "Requests refused because too many were in flight.", "group", "endpoint"),
		limited:     desc("serve_limited_total", "Requests refused by a rate limit.", "group", "endpoint"),
		inFlight:    desc("serve_in_flight", "Requests under way.", "group", "endpoint"),
		runs:        desc("serve_run_rows", "Rows of a run, which may answer several requests.", "group", "endpoint", "version"),
		waiting:     desc("serve_waiting", "Requests in the queue.", "group", "endpoint", "version"),
		queued:      desc("serve_queue_seconds_total", "Time requests waited for their run.", "group", "endpoint", "version"),
		computed:    desc("serve_compute_seconds_total", "Time of the runs, the way to the worker included.", "group", "endpoint", "version"),
		deaths:      desc("worker_deaths_total", "Worker processes that ended unasked.", "worker"),
		loaded:      desc("models_loaded", "Models in memory."),
		held:        desc("models_held_bytes", "Bytes that the loaded models take together, as measured when they were proved."),
		budget:      desc("models_budget_bytes", "Bytes that loaded models may take together."),
		attempts:    desc("score_attempts_total", "Attempts to deliver the result of a scoring.", "group", "kind", "sink"),
		failures:    desc("score_attempt_failures_total", "Attempts that did not deliver.", "group", "kind", "sink"),
		deliveries:  desc("score_deliveries_total", "Deliveries that ended: delivered, or failed and given up.", "group", "kind", "sink", "state"),
		quarantined: desc("serve_quarantined", "Versions in quarantine.", "group", "endpoint"),
		elsewhere:   desc("serve_elsewhere", "Versions that do not run on the device that was asked for.", "group", "endpoint")}
	r := prometheus.NewRegistry()
	r.MustRegister(m, prometheus.NewGoCollector(), prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	name := m.groups()
	for _, e := range m.serve.AllMetrics() {
		group := name(e.Key.Group)
		count(m.overloaded, e.Overloaded, group, e.Key.Name)
		count(m.limited, e.Limited, group, e.Key.Name)
		ch <- prometheus.MustNewConstMetric(m.inFlight, prometheus.GaugeValue, float64(e.InFlight), group, e.Key.Name)
		m.triton.collect(ch, group, e)
		for _, r := range e.Runs {
			by := []string{group, e.Key.Name, number(r.Version)}
			buckets, n := map[float64]uint64{}, uint64(0)
			for i, k := range r.Sizes {
				n += k
				buckets[float64(int(1)<<i)] = n
			}
			ch <- prometheus.MustNewConstHistogram(m.runs, r.Runs, float64(r.Rows), buckets, by...)
			ch <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(r.Waiting), by...)
			ch <- prometheus.MustNewConstMetric(m.queued, prometheus.CounterValue, float64(r.QueuedUS)/1e6, by...)
			ch <- prometheus.MustNewConstMetric(m.computed, prometheus.CounterValue, float64(r.ComputeUS)/1e6, by...)
		}
		for _, c := range e.Versions {
			by := []string{group, e.Key.Name, number(c.Version), string(c.Role)}
			count(m.requests, c.Requests, by...)
			count(m.errors, c.Errors, by...)
			count(m.refused, c.Refused, by...)
			count(m.dropped, c.Dropped, by...)
			buckets := map[float64]uint64{}
			var n uint64
			for _, b := range c.Latency {
				buckets[float64(b.UpToUS)/1e6], n = b.Count, b.Count
			}
			ch <- prometheus.MustNewConstHistogram(m.latency, n, float64(c.LatencySumUS)/1e6, buckets, by...)
		}
	}
	for _, c := range m.sinks() {
		by := []string{name(c.Group), c.Sink.Kind, c.Sink.Name}
		count(m.attempts, c.Attempts, by...)
		count(m.failures, c.Failures, by...)
		count(m.deliveries, c.Delivered, append(by, string(score.Delivered))...)
		count(m.deliveries, c.GivenUp, append(by, string(score.Failed))...)
	}
	for kind, n := range m.fallen() {
		count(m.deaths, uint64(n), kind)
	}
	models := m.models()
	gauge := func(d *prometheus.Desc, v int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v))
	}
	gauge(m.loaded, int64(models.Loaded))
	gauge(m.held, models.Held)
	gauge(m.budget, models.Budget)
	for key, q := range m.serve.Quarantined() {
		ch <- prometheus.MustNewConstMetric(m.quarantined, prometheus.GaugeValue, float64(len(q)), name(key.Group), key.Name)
	}
	for key, v := range m.serve.Elsewhere() {
		ch <- prometheus.MustNewConstMetric(m.elsewhere, prometheus.GaugeValue, float64(len(v)), name(key.Group), key.Name)
	}
}

func number(version int) string { return strconv.Itoa(version) }

// groupNames returns what names a group by its id: people look for the name. One that is gone keeps its id.
func (n *Node) groupNames() func(id string) string {
	names := map[string]string{}
	for cursor := ""; ; {
		list, next, err := n.store.ListGroups(context.Background(), cursor, 500)
		for _, g := range list {
			names[g.ID] = g.Name
		}
		if err != nil || next == "" {
			break
		}
		cursor = next
	}
	return func(id string) string { return cmp.Or(names[id], id) }
}
