package member

import (
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"edgeward"
)

// ear is how memberlist talks to a Pool. Its methods are called with memberlist's locks held: they note and go.
type ear struct{ *Pool }

func (e ear) NodeMeta(int) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.meta.bytes()
}

func (e ear) NotifyMsg([]byte)                                                   {}
func (e ear) GetBroadcasts(int, int) [][]byte                                    { return nil }
func (e ear) LocalState(bool) []byte                                             { return nil }
func (e ear) MergeRemoteState([]byte, bool)                                      {}
func (e ear) NotifyJoin(n *memberlist.Node)                                      { e.came(n) }
func (e ear) NotifyLeave(n *memberlist.Node)                                     { e.went(n) }
func (e ear) NotifyUpdate(n *memberlist.Node)                                    { e.updated(n) }
func (e ear) AckPayload() []byte                                                 { return nil }
func (e ear) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, _ []byte) { e.answered(n, rtt) }

// NotifyAlive drops who is not on the roster.
func (e ear) NotifyAlive(n *memberlist.Node) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on(n.Name) || len(n.Meta) > MaxMeta {
		return edgeward.E("member", edgeward.Forbidden, "fleet.roster", "%.64q is not of this site", n.Name)
	}
	return nil
}

// NotifyMerge drops the state of a pool of strangers, and one that is far longer than the roster. Single strangers NotifyAlive drops.
func (e ear) NotifyMerge(list []*memberlist.Node) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := 0
	for _, n := range list {
		if e.on(n.Name) {
			known++
		}
	}
	if known == 0 || len(list) > 2*len(e.roster)+16 {
		return edgeward.E("member", edgeward.Forbidden, "fleet.roster", "%d of %d servers of that pool are of this site", known, len(list))
	}
	return nil
}

// logger passes what memberlist says on as debug lines: what people need is in the states.
func logger(l *slog.Logger) *log.Logger { return log.New(lines{l}, "", 0) }

type lines struct{ l *slog.Logger }

func (w lines) Write(b []byte) (int, error) {
	w.l.Debug("gossip", "says", strings.TrimSpace(string(b)))
	return len(b), nil
}
