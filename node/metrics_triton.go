package node

import (
	"edgeward/node/api/oip"
	"edgeward/runtime/serve"

	"github.com/prometheus/client_golang/prometheus"
)

// triton are the counters that dashboards made for Triton Inference Server read, by its names and units (docs/user_guide/
// metrics.md of the project, release 2.51). model is the endpoint; group, its name, is a label of ours beside Triton's. Times of input
// and output are within compute_infer, so theirs stay 0.
type triton struct {
	success, failure, count, executions, duration, queue, input, infer, output, pending *prometheus.Desc
}

func newTriton() triton {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("nv_inference_"+name, help, append([]string{"model", "version", "group"}, more...), nil)
	}
	return triton{
		success:    desc("request_success", "Number of successful inference requests."),
		failure:    desc("request_failure", "Number of failed inference requests.", "reason"),
		count:      desc("count", "Number of inferences performed (rows)."),
		executions: desc("exec_count", "Number of model executions performed."),
		duration:   desc("request_duration_us", "Cumulative inference request duration in microseconds."),
		queue:      desc("queue_duration_us", "Cumulative inference queuing duration in microseconds."),
		input:      desc("compute_input_duration_us", "Cumulative compute input duration in microseconds."),
		infer:      desc("compute_infer_duration_us", "Cumulative compute inference duration in microseconds."),
		output:     desc("compute_output_duration_us", "Cumulative inference compute output duration in microseconds."),
		pending:    desc("pending_request_count", "Number of pending requests."),
	}
}

// collect sends the counters of one endpoint.
func (t *triton) collect(ch chan<- prometheus.Metric, group string, m serve.Metrics) {
	waiting := map[string]int{}
	for _, r := range m.Runs {
		waiting[number(r.Version)] = r.Waiting
	}
	for _, s := range oip.StatisticsOf(m) {
		send := func(d *prometheus.Desc, v uint64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{s.Name, s.Version, group}, more...)...)
		}
		i := s.Inference
		send(t.success, i.Success.Count)
		send(t.failure, i.Fail.Count, "OTHER")
		send(t.count, s.InferenceCount)
		send(t.executions, s.ExecutionCount)
		send(t.duration, i.Success.NS/1000)
		send(t.queue, i.Queue.NS/1000)
		send(t.input, i.ComputeInput.NS/1000)
		send(t.infer, i.ComputeInfer.NS/1000)
		send(t.output, i.ComputeOutput.NS/1000)
		ch <- prometheus.MustNewConstMetric(t.pending, prometheus.GaugeValue, float64(waiting[s.Version]), s.Name, s.Version, group)
	}
}
