package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/serve"
)

const deviceHelp = "what its versions run on: auto (what proves best), cpu, onnxruntime-cpu, openvino-cpu, cuda, cuda:1, openvino-gpu or openvino-npu; cuda@NAME for one runtime pack"

func newEndpointSet(r *remote) *cobra.Command {
	var title, description, record, versions, worker, device string
	var pinned, required bool
	var idle time.Duration
	var inFlight, batch, recordRate, cache int
	var shadowWait bool
	var rate, each client.Limit
	cmd := &cobra.Command{Use: "set NAME", Short: "Change an endpoint's words, limits and policies", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames),
		Example: "  edgeward endpoint set visits-tomorrow --rate 50 --burst 100 --caller-rate 5 --reason \"one caller asked in a loop\"\n  edgeward endpoint set visits-tomorrow --versions latest:3 --reason \"the auditors compare versions\""}
	f := cmd.Flags()
	reason := reasonFlag(cmd, true)
	f.StringVar(&title, "title", "", "`text` for people, on the page Forecast")
	f.StringVar(&description, "description", "", "`text`: who asks it, and what for")
	f.StringVar(&record, "record", "", "what prediction records keep of the inputs: none, features or full")
	f.IntVar(&inFlight, "max-in-flight", 0, "requests at once; 0: the default, 256")
	f.IntVar(&batch, "max-batch", 0, "rows of several requests that one run answers at most; 1: each runs alone, 0: as many as the version allows")
	f.IntVar(&recordRate, "record-rate", 0, "predictions recorded a second at most; 0: the default, 1000. Those that bring an event time are all recorded")
	f.IntVar(&cache, "cache", 0, "answers of each version that are kept for equal requests; 0: none")
	f.BoolVar(&shadowWait, "shadow-wait", false, "a full shadow queue makes callers wait instead of dropping copies")
	f.Float64Var(&rate.PerSecond, "rate", 0, "requests a second of all callers together; 0: no limit")
	f.IntVar(&rate.Burst, "burst", 0, "requests at once that --rate lets through; 0: those of one second")
	f.Float64Var(&each.PerSecond, "caller-rate", 0, "requests a second of each caller; 0: no limit")
	f.IntVar(&each.Burst, "caller-burst", 0, "requests at once that --caller-rate lets through; 0: those of one second")
	f.StringVar(&versions, "versions", "", "which versions may be asked for by number beside those of the spec: spec (none), latest:3, all, or specific:1,3")
	f.StringVar(&worker, "worker", "", "whom its versions share a process with: shared (all that are trusted) or own (nobody)")
	f.BoolVar(&pinned, "pinned", false, "its versions never leave the memory to make room for others")
	f.DurationVar(&idle, "idle-unload", 0, "time without a request after which its versions leave the memory, until the next one; 0: never")
	f.StringVar(&device, "device", "", deviceHelp)
	f.BoolVar(&required, "device-required", false, "a version that cannot run on the device is not loaded, instead of running on the CPU")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q := client.EndpointChange{Reason: *reason}
		changed := false
		for flag, set := range map[string]func(){
			"title": func() { q.Title = &title }, "description": func() { q.Description = &description }, "record": func() { q.Record = &record },
			"max-in-flight": func() { q.MaxInFlight = &inFlight }, "max-batch": func() { q.MaxBatch = &batch }, "shadow-wait": func() { q.ShadowWait = &shadowWait }, "versions": func() { q.Versions = &versions },
			"record-rate": func() { q.RecordRate = &recordRate }, "cache": func() { q.Cache = &cache },
			"worker": func() { q.Worker = &worker }, "pinned": func() { q.Pinned = &pinned },
			"device": func() { q.Device = &device }, "device-required": func() { q.DeviceRequired = &required },
			"idle-unload": func() { seconds := int(idle.Seconds()); q.IdleUnloadS = &seconds },
			"rate":        func() { q.Rate = &rate }, "caller-rate": func() { q.PrincipalRate = &each },
		} {
			if f.Changed(flag) {
				set()
				changed = true
			}
		}
		if !changed {
			return edgeward.E("set", edgeward.Invalid, "cli.nothing", "nothing to change").WithHint("name what to change, such as --rate 50; --burst goes with --rate, --caller-burst with --caller-rate")
		}
		was, err := c.Endpoint(ctx, args[0])
		if err != nil {
			return err
		}
		v, err := c.UpdateEndpoint(ctx, args[0], q)
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printEndpointChange(w, was.Endpoint, v.Endpoint) })
	})
	return cmd
}

// printEndpointChange says what is now other than it was.
func printEndpointChange(w io.Writer, was, is serve.Endpoint) {
	var rows [][]string
	for _, f := range []struct {
		name string
		of   func(serve.Endpoint) string
	}{
		{"title", func(e serve.Endpoint) string { return e.Title }},
		{"description", func(e serve.Endpoint) string { return e.Description }},
		{"inputs recorded", func(e serve.Endpoint) string { return string(e.Record) }},
		{"recorded a second at most", func(e serve.Endpoint) string { return unlessZero(e.RecordRate) }},
		{"requests at once", func(e serve.Endpoint) string { return unlessZero(e.MaxInFlight) }},
		{"rows joined at most", func(e serve.Endpoint) string { return unlessZero(e.MaxBatch) }},
		{"answers cached", func(e serve.Endpoint) string { return unlessZero(e.Cache) }},
		{"a full shadow queue waits", func(e serve.Endpoint) string { return yes(e.ShadowWait) }},
		{"limit", func(e serve.Endpoint) string { return limitWords(e.Rate) }},
		{"limit of each caller", func(e serve.Endpoint) string { return limitWords(e.PrincipalRate) }},
		{"versions by number", func(e serve.Endpoint) string { return string(e.Versions) }},
		{"worker", func(e serve.Endpoint) string { return string(e.Worker) }},
		{"pinned", func(e serve.Endpoint) string { return yes(e.Pinned) }},
		{"unloaded when idle for", func(e serve.Endpoint) string {
			if e.IdleUnloadS == 0 {
				return ""
			}
			return (time.Duration(e.IdleUnloadS) * time.Second).String()
		}},
		{"device", deviceWords},
	} {
		if a, b := f.of(was), f.of(is); a != b {
			rows = append(rows, []string{f.name, cmp.Or(a, "default"), cmp.Or(b, "default")})
		}
	}
	if len(rows) == 0 {
		fmt.Fprintf(w, "%s: it was so already\n", is.Name)
		return
	}
	table(w, "CHANGED FROM TO", rows)
}
