package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"edgeward/node/client"
)

// FleetOptions are what the fleet's demonstration plays on: a hub and nodes that run already, each a server of its own.
type FleetOptions struct {
	Hub   *client.Client
	Nodes []FleetServer
	Now   func() time.Time
	Say   func(format string, args ...any)
	// Found makes the hub one; Sign signs a version as a person, "author" or "approver": their keys are files of theirs, not the hub's.
	Found func(ctx context.Context) error
	Sign  func(ctx context.Context, person, model string, version int) error
	// KillHub ends the hub's process without warning, StartHub begins it again.
	KillHub  func() error
	StartHub func(ctx context.Context) error
	Soak     time.Duration // of each wave
	Gone     time.Duration // how long the hub is away
}

// FleetServer is one node.
type FleetServer struct {
	Name   string
	Site   string
	Client *client.Client
}

// FleetReport is the result of the fleet's demonstration, one JSON document.
type FleetReport struct {
	Demo         string       `json:"demo"` // "fleet"
	TotalSeconds float64      `json:"total_seconds"`
	Stages       []Stage      `json:"stages"`
	Joined       []FleetJoin  `json:"joined"`
	Gossip       float64      `json:"gossip_seconds"` // from the last join until every node saw its site
	First        FleetMove    `json:"first"`          // from nothing to version 1
	Unsigned     string       `json:"unsigned"`       // what the hub said of a rollout that only one person had signed
	Update       FleetMove    `json:"update"`         // from version 1 to 2
	Bytes        FleetBytes   `json:"bytes"`          // of the update
	Bad          FleetBad     `json:"bad"`            // version 3
	Gone         FleetGone    `json:"hub_gone"`
	Traffic      FleetTraffic `json:"traffic"` // of all nodes over the whole demonstration
	Says         []string     `json:"says"`
}

// FleetJoin is one node that joined.
type FleetJoin struct {
	Name    string  `json:"name"`
	Site    string  `json:"site"`
	Seconds float64 `json:"seconds"`
}

// FleetMove is a rollout that succeeded.
type FleetMove struct {
	Version int     `json:"version"`
	Seconds float64 `json:"seconds"`
	Waves   []int   `json:"waves"` // nodes that had been told at the end of each
}

// FleetBytes compares what came over the wire with whole files.
type FleetBytes struct {
	Model    int64   `json:"model"` // size of the new file
	Nodes    int     `json:"nodes"`
	Received int64   `json:"received"` // by all nodes from the hub, deltas instead of the file
	Peers    int64   `json:"peers"`    // by all nodes from another one of their site
	Whole    int64   `json:"whole"`    // what whole files would have been
	Share    float64 `json:"share"`
}

// FleetBad is a version that one node tried and gave back.
type FleetBad struct {
	Version int     `json:"version"`
	Reached int     `json:"reached"` // nodes that ever ran it, in the dark
	Node    string  `json:"node"`
	Code    string  `json:"code"`
	Reason  string  `json:"reason"`
	Seconds float64 `json:"seconds"`
	State   string  `json:"state"` // of the rollout
	Live    int     `json:"live"`  // answers that clients got of it
}

// FleetGone is the time without a hub.
type FleetGone struct {
	Seconds float64 `json:"seconds"`
	Asked   uint64  `json:"asked"`
	Failed  uint64  `json:"failed"`
	Return  float64 `json:"return_seconds"` // from the hub's start until it had heard of every node
}

// FleetTraffic is what was asked of the nodes.
type FleetTraffic struct {
	Asked  uint64 `json:"asked"`
	Failed uint64 `json:"failed"`
}

const fleetModel = "digits"

// RunFleet shows a fleet: servers join, a signed version reaches them in waves, its successor comes as a difference, a bad one is
// stopped by the first node, and the hub dies while everybody goes on answering. An error means that a stage did not happen.
func RunFleet(ctx context.Context, o FleetOptions) (*FleetReport, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	f := &fleetStory{FleetOptions: o, begun: o.Now(), r: &FleetReport{Demo: "fleet"}}
	for _, s := range []stage{{"join", f.join}, {"first version", f.first}, {"update", f.update}, {"bad version", f.bad}, {"hub gone", f.gone}} {
		at := o.Now()
		o.Say("%s", s.name)
		if err := s.do(ctx); err != nil {
			f.stop()
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		f.r.Stages = append(f.r.Stages, Stage{Name: s.name, Seconds: round(o.Now().Sub(at).Seconds(), 2)})
	}
	f.stop()
	f.r.Traffic = FleetTraffic{f.asked.Load(), f.failed.Load()}
	f.r.TotalSeconds = round(o.Now().Sub(f.begun).Seconds(), 1)
	f.says()
	if f.r.Traffic.Failed > 0 {
		return f.r, fmt.Errorf("%d of %d requests failed", f.r.Traffic.Failed, f.r.Traffic.Asked)
	}
	return f.r, nil
}

type fleetStory struct {
	FleetOptions
	begun         time.Time
	r             *FleetReport
	asked, failed atomic.Uint64
	ends          []context.CancelFunc
	wg            sync.WaitGroup
}

func (f *fleetStory) stop() {
	for _, end := range f.ends {
		end()
	}
	f.wg.Wait()
}

// join brings every node in by a code of its site.
func (f *fleetStory) join(ctx context.Context) error {
	if err := f.Found(ctx); err != nil {
		return err
	}
	for _, n := range f.Nodes {
		code, err := f.Hub.CreateFleetCode(ctx, client.FleetCodeRequest{Site: n.Site, Auto: true, Reason: "demonstration"})
		if err != nil {
			return err
		}
		at := f.Now()
		if _, err := n.Client.JoinFleet(ctx, code.Text); err != nil {
			return err
		}
		j := FleetJoin{n.Name, n.Site, round(f.Now().Sub(at).Seconds(), 3)}
		f.r.Joined = append(f.r.Joined, j)
		f.Say("  %s joined site %s in %.2f s", n.Name, n.Site, j.Seconds)
	}
	if err := f.await(ctx, "all nodes are there", func() (bool, error) {
		v, err := f.Hub.Fleet(ctx)
		return v.Nodes["online"] == len(f.Nodes), err
	}); err != nil {
		return err
	}
	return f.meet(ctx)
}

// meet waits until every node sees the others of its site by gossip.
func (f *fleetStory) meet(ctx context.Context) error {
	at := f.Now()
	size := map[string]int{}
	for _, n := range f.Nodes {
		size[n.Site]++
	}
	for _, n := range f.Nodes {
		if err := f.await(ctx, n.Name+" sees its site", func() (bool, error) {
			s, err := n.Client.FleetSite(ctx)
			alive := 0
			for _, m := range s.Members {
				if m.State == "alive" {
					alive++
				}
			}
			return alive == size[n.Site]-1, err
		}); err != nil {
			return err
		}
	}
	f.r.Gossip = round(f.Now().Sub(at).Seconds(), 1)
	f.Say("  every node sees its site by gossip, %.1f s after the last had joined", f.r.Gossip)
	return nil
}

// await asks until there is an answer, an error that stays, or two minutes are over.
func (f *fleetStory) await(ctx context.Context, what string, there func() (bool, error)) error {
	var last error
	for until := f.Now().Add(2 * time.Minute); f.Now().Before(until); {
		ok, err := there()
		if ok && err == nil {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("after two minutes it is still not so that %s (%v)", what, last)
}

// sign imports a file as the next version and has it signed by both persons.
func (f *fleetStory) sign(ctx context.Context, file []byte, name string) (int, error) {
	v, err := f.Hub.ImportModel(ctx, fleetModel, reader(file), client.ModelUpload{Filename: name, Task: "image",
		Description: "A small CNN for pictures of handwritten digits.", IntendedUse: "Shows a fleet. Not for any decision."})
	if err != nil {
		return 0, err
	}
	n := v.Version.Number
	if err := f.Sign(ctx, "author", fleetModel, n); err != nil {
		return n, err
	}
	if f.r.Unsigned == "" {
		_, err := f.Hub.StartRollout(ctx, f.order(n))
		if err == nil {
			return n, fmt.Errorf("a version with one signature was rolled out")
		}
		f.r.Unsigned = err.Error()
		f.Say("  with one signature: %v", err)
	}
	return n, f.Sign(ctx, "approver", fleetModel, n)
}

func (f *fleetStory) order(version int) client.RolloutRequest {
	q := client.RolloutRequest{Endpoint: fleetModel, Title: "Handwritten digits", Model: fleetModel, Version: version, Reason: fmt.Sprintf("demonstration: version %d", version)}
	q.Plan.Waves = client.Waves(f.Soak, 1, 2, len(f.Nodes))
	q.Probation.Requests, q.Probation.Longest = 40, 30*time.Second
	if version == 1 { // nobody asks yet
		q.Probation.Longest = time.Second
	}
	return q
}

// roll starts a rollout and watches it to its end.
func (f *fleetStory) roll(ctx context.Context, version int) (client.Rollout, FleetMove, error) {
	at := f.Now()
	m := FleetMove{Version: version}
	r, err := f.Hub.StartRollout(ctx, f.order(version))
	if err != nil {
		return r, m, err
	}
	told := map[int]int{}
	for !r.State.Final() {
		select {
		case <-ctx.Done():
			return r, m, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		if r, err = f.Hub.Rollout(ctx, r.ID); err != nil {
			return r, m, err
		}
		if n := len(r.Told); n > told[r.Wave] {
			told[r.Wave] = n
			f.Say("  version %d: wave %d, %d of %d nodes", version, r.Wave+1, n, len(f.Nodes))
		}
		if f.Now().Sub(at) > 5*time.Minute {
			return r, m, fmt.Errorf("the rollout is %s after five minutes: %s", r.State, r.Why)
		}
	}
	for i := range r.Plan.Waves {
		if told[i] > 0 {
			m.Waves = append(m.Waves, told[i])
		}
	}
	m.Seconds = round(f.Now().Sub(at).Seconds(), 1)
	f.Say("  version %d: %s after %.1f s. %s", version, r.State, m.Seconds, r.Why)
	return r, m, nil
}

func (f *fleetStory) first(ctx context.Context) error {
	n, err := f.sign(ctx, digitsModel, "digits-cnn.onnx")
	if err != nil {
		return err
	}
	r, m, err := f.roll(ctx, n)
	if err != nil {
		return err
	}
	if f.r.First = m; r.State != "succeeded" {
		return fmt.Errorf("the first version is %s: %s", r.State, r.Why)
	}
	pictures, err := heldOut()
	if err != nil {
		return err
	}
	for i, s := range f.Nodes { // from now on somebody asks every node
		ask, end := context.WithCancel(ctx)
		f.ends = append(f.ends, end)
		f.wg.Go(func() { f.traffic(ask, s.Client, pictures, i) })
	}
	return nil
}

// traffic asks a node one picture after the other, some thirty a second.
func (f *fleetStory) traffic(ctx context.Context, c *client.Client, p pictures, from int) {
	tick := time.NewTicker(33 * time.Millisecond)
	defer tick.Stop()
	for i := from * 37; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		in := client.Tensor{Name: "image", Datatype: "FP32", Shape: []int64{1, 1, 8, 8}, Values: p.Images[i%len(p.Images)]}
		_, err := c.Infer(ctx, fleetModel, client.InferRequest{Inputs: []client.Tensor{in}})
		if ctx.Err() != nil {
			return
		}
		f.asked.Add(1)
		if err != nil {
			f.failed.Add(1)
			f.Say("  a request failed: %v", err)
		}
	}
}

// received is what all nodes got over the wire, from the hub and from each other.
func (f *fleetStory) received(ctx context.Context) (hub, peers int64, err error) {
	for _, s := range f.Nodes {
		m, err := s.Client.FleetMembership(ctx)
		if err != nil {
			return 0, 0, err
		}
		hub, peers = hub+m.Traffic.Received, peers+m.Traffic.Peers
	}
	return hub, peers, nil
}

func (f *fleetStory) update(ctx context.Context) error {
	before, near, err := f.received(ctx)
	if err != nil {
		return err
	}
	n, err := f.sign(ctx, digitsRetrained, "digits-2.onnx")
	if err != nil {
		return err
	}
	r, m, err := f.roll(ctx, n)
	if err != nil {
		return err
	}
	if f.r.Update = m; r.State != "succeeded" {
		return fmt.Errorf("the update is %s: %s", r.State, r.Why)
	}
	after, now, err := f.received(ctx)
	if err != nil {
		return err
	}
	b := FleetBytes{Model: int64(len(digitsRetrained)), Nodes: len(f.Nodes), Received: after - before, Peers: now - near}
	b.Whole = b.Model * int64(b.Nodes)
	b.Share = round(float64(b.Received)/float64(b.Whole), 3)
	f.r.Bytes = b
	f.Say("  %d bytes came from the hub instead of %d, %d from servers of the site", b.Received, b.Whole, b.Peers)
	return nil
}

// bad rolls out a version that learned from wrong labels.
func (f *fleetStory) bad(ctx context.Context) error {
	n, err := f.sign(ctx, digitsBad, "digits-bad.onnx")
	if err != nil {
		return err
	}
	r, m, err := f.roll(ctx, n)
	if err != nil {
		return err
	}
	b := FleetBad{Version: n, Seconds: m.Seconds, State: string(r.State)}
	for _, x := range r.Nodes {
		if x.Told {
			b.Reached++
		}
		if len(r.Failed) > 0 && x.ID == r.Failed[0] {
			b.Node = x.Name
		}
	}
	b.Code, b.Reason = r.Code, r.Why
	for _, s := range f.Nodes {
		e, err := s.Client.Endpoint(ctx, fleetModel)
		if err != nil {
			return err
		}
		if e.Status.Live == n {
			b.Live++
		}
	}
	f.r.Bad = b
	if b.State != "rolled-back" || b.Reached != 1 || b.Live != 0 {
		return fmt.Errorf("a bad version is %s, was told to %d nodes and answers on %d", b.State, b.Reached, b.Live)
	}
	return nil
}

// gone kills the hub and starts it again.
func (f *fleetStory) gone(ctx context.Context) error {
	asked, failed, at := f.asked.Load(), f.failed.Load(), f.Now()
	if err := f.KillHub(); err != nil {
		return err
	}
	f.Say("  the hub is killed; everybody goes on")
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.Gone):
	}
	g := FleetGone{Seconds: round(f.Now().Sub(at).Seconds(), 1), Asked: f.asked.Load() - asked, Failed: f.failed.Load() - failed}
	back := f.Now()
	if err := f.StartHub(ctx); err != nil {
		return err
	}
	err := f.await(ctx, "the hub has heard of every node", func() (bool, error) {
		l, err := f.Hub.FleetNodes(ctx, "")
		heard := 0
		for _, n := range l.Items {
			if n.Seen.After(back) {
				heard++
			}
		}
		return heard == len(f.Nodes), err
	})
	g.Return = round(f.Now().Sub(back).Seconds(), 1)
	f.r.Gone = g
	f.Say("  %d requests meanwhile, %d failed; all nodes are back after %.1f s", g.Asked, g.Failed, g.Return)
	if err == nil && g.Asked == 0 {
		err = fmt.Errorf("nobody asked anything while the hub was away")
	}
	return err
}

func (f *fleetStory) says() {
	r := f.r
	r.Says = []string{
		fmt.Sprintf("%d servers in two sites joined, the slowest in %.2f s.", len(r.Joined), slowest(r.Joined)),
		fmt.Sprintf("Version %d reached them in waves of %v nodes in %.1f s; with one signature instead of two it was refused.", r.First.Version, r.First.Waves, r.First.Seconds),
		fmt.Sprintf("Version %d, a warm retraining, came from the hub once a site, as a difference: %d bytes instead of %d (%.0f %%). The others of each site took it from there: %d bytes.", r.Update.Version, r.Bytes.Received, r.Bytes.Whole, 100*r.Bytes.Share, r.Bytes.Peers),
		fmt.Sprintf("Every node saw its site by gossip %.1f s after the last had joined.", r.Gossip),
		fmt.Sprintf("Version %d had learned from wrong labels. %s saw it beside the old version and gave it back; no other node was told, and no client got an answer of it: %s.", r.Bad.Version, r.Bad.Node, r.Bad.Reason),
		fmt.Sprintf("The hub was dead for %.0f s: %d requests, %d failed. All nodes were back %.1f s after its return.", r.Gone.Seconds, r.Gone.Asked, r.Gone.Failed, r.Gone.Return),
		fmt.Sprintf("%d requests over the whole demonstration, %d failed.", r.Traffic.Asked, r.Traffic.Failed),
	}
}

func slowest(js []FleetJoin) (s float64) {
	for _, j := range js {
		s = max(s, j.Seconds)
	}
	return s
}
