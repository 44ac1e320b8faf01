package oip

import (
	"strconv"

	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Duration is a count of things and the time they took together.
type Duration struct {
	Count uint64 `json:"count"`
	NS    uint64 `json:"ns"`
}

// Statistics is what one version did since the process started, in Triton's words. Requests of shadows are in the
// executions only, for nobody was answered. A run of several requests counts as one execution; the times of input and
// output are in compute_infer, which ends when the worker has answered. A request that is not joined with others counts as
// one inference and a batch of one, however many rows it has. Not kept, and so empty or 0: the time of failed requests,
// cache times, responses of decoupled models (there are none) and the memory of a device.
type Statistics struct {
	Name           string          `json:"name"`
	Version        string          `json:"version"`
	LastInference  uint64          `json:"last_inference"` // when the last request was received, in milliseconds since 1970
	InferenceCount uint64          `json:"inference_count"`
	ExecutionCount uint64          `json:"execution_count"`
	Inference      InferStatistics `json:"inference_stats"`
	Responses      struct{}        `json:"response_stats"`
	Batches        []Batch         `json:"batch_stats"` // the smallest first
	Memory         []struct{}      `json:"memory_usage"`
}

// Batch is what the executions of one size took.
type Batch struct {
	Size          uint64   `json:"batch_size"`
	ComputeInput  Duration `json:"compute_input"`
	ComputeInfer  Duration `json:"compute_infer"`
	ComputeOutput Duration `json:"compute_output"`
}

// InferStatistics are the sums over a version's requests.
type InferStatistics struct {
	Success       Duration `json:"success"`
	Fail          Duration `json:"fail"` // refused ones too; their time is not kept
	Queue         Duration `json:"queue"`
	ComputeInput  Duration `json:"compute_input"`
	ComputeInfer  Duration `json:"compute_infer"`
	ComputeOutput Duration `json:"compute_output"`
	CacheHit      Duration `json:"cache_hit"`
	CacheMiss     Duration `json:"cache_miss"`
}

// ModelStatistics returns the statistics of every version of an endpoint, or of the one that t names.
func (s *Service) ModelStatistics(t Target) ([]Statistics, error) {
	if _, err := s.Serve.Describe(t.Key, t.Version); err != nil {
		return nil, err
	}
	m, _ := s.Serve.Metrics(t.Key)
	return statistics(m, t.Version), nil
}

// AllStatistics returns those of every endpoint of a group.
func (s *Service) AllStatistics(group string) []Statistics {
	out := []Statistics{}
	for _, m := range s.Serve.AllMetrics() {
		if m.Key.Group == group {
			out = append(out, StatisticsOf(m)...)
		}
	}
	return out
}

// StatisticsOf returns the statistics of every version of an endpoint.
func StatisticsOf(m serve.Metrics) []Statistics { return statistics(m, 0) }

func statistics(m serve.Metrics, version int) []Statistics {
	out := []Statistics{}
	at := map[int]int{}
	of := func(v int) *Statistics {
		i, ok := at[v]
		if !ok {
			i = len(out)
			at[v] = i
			out = append(out, Statistics{Name: m.Key.Name, Version: strconv.Itoa(v), Batches: []Batch{}, Memory: []struct{}{}})
		}
		return &out[i]
	}
	for _, c := range m.Versions {
		if version != 0 && c.Version != version || c.Role == record.Shadow {
			continue
		}
		x := of(c.Version)
		x.LastInference = max(x.LastInference, uint64(max(c.LastMS, 0)))
		i := &x.Inference
		i.Success.Count += c.Requests - c.Errors - uint64(max(c.InFlight, 0))
		i.Success.NS += c.LatencySumUS * 1000
		i.Fail.Count += c.Errors + c.Refused
		i.CacheHit.Count += c.CacheHits
		i.CacheMiss.Count += c.CacheMisses
	}
	for _, r := range m.Runs {
		if version != 0 && r.Version != version {
			continue
		}
		s := of(r.Version)
		s.InferenceCount, s.ExecutionCount = r.Rows, r.Runs
		s.Inference.Queue = Duration{s.Inference.Success.Count, r.QueuedUS * 1000}
		s.Inference.ComputeInfer = Duration{r.Runs, r.ComputeUS * 1000}
		s.Inference.ComputeInput.Count, s.Inference.ComputeOutput.Count = r.Runs, r.Runs
		for _, b := range r.BySize {
			n := Duration{Count: b.Runs}
			s.Batches = append(s.Batches, Batch{uint64(b.Rows), n, Duration{b.Runs, b.ComputeUS * 1000}, n})
		}
	}
	return out
}
