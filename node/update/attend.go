package update

import (
	"context"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/supervise"
	"edgeward/sync/slot"
)

// Attend is called once the server answers: it has the outcome of the last update noted, and, on trial, proves that this is the server it
// was. It returns when there is nothing more to be done, or with ctx.
func (u *Update) Attend(ctx context.Context) {
	u.p.Supervisor.Ready()
	if _, err := u.state(); err != nil {
		u.p.Log.Warn("the state of the slots cannot be read", "err", err)
	}
	u.noteOutcome(ctx)
	if trial, window := u.p.Supervisor.Trial(); trial {
		u.prove(ctx, window)
	}
	if n, _ := u.p.Supervisor.Slot(); n == slot.Installed {
		if d, err := self(); err == nil {
			u.mu.Lock()
			u.digest = d
			u.mu.Unlock()
		}
	}
}

// look is how often a trial is looked at.
const look = 250 * time.Millisecond

func (u *Update) prove(ctx context.Context, window time.Duration) {
	s, err := u.p.Dir.State()
	if err != nil || s.Trial == nil {
		return
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	last := time.NewTimer(window - min(window/10, 5*time.Second))
	defer last.Stop()
	lacks := ""
	for {
		if lacks = u.lacks(ctx, s.Trial.Asked); lacks == "" {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-last.C:
			_ = u.p.Supervisor.Say(supervise.Message{Do: supervise.Failed, Code: "update.unproved", Reason: clip(lacks)})
			return
		case <-tick.C:
		}
	}
	if err := u.p.Supervisor.Say(supervise.Message{Do: supervise.Proved}); err != nil {
		u.p.Log.Error("the supervisor does not hear that this version is well", "err", err)
		return
	}
	select {
	case <-ctx.Done():
	case <-u.p.Supervisor.Committed():
		u.noteOutcome(ctx)
	}
}

// lacks says what is still missing for this server to be the one it was; "" nothing.
func (u *Update) lacks(ctx context.Context, asked slot.Asked) string {
	now, err := u.p.Answering(ctx)
	if err != nil {
		return edgeward.Words(err)
	}
	var silent []string
	for _, e := range asked.Ready {
		if !slices.Contains(now, e) {
			silent = append(silent, e)
		}
	}
	if len(silent) > 0 {
		return "these endpoints do not answer: " + strings.Join(silent, ", ")
	}
	if u.p.Reached != nil && !asked.Offline {
		if member, reached := u.p.Reached(ctx); member && !reached {
			return "the hub was reached before the update and is not now"
		}
	}
	return ""
}

// noteOutcome puts what became of the last change into the audit, once.
func (u *Update) noteOutcome(ctx context.Context) {
	s, err := u.p.Dir.State()
	if err != nil || s.Last.Seq == 0 || s.Last.Noted {
		return
	}
	o := s.Last
	detail := map[string]string{"from": o.From.Version, "to": o.To.Version}
	if o.Code != "" {
		detail["code"] = o.Code
	}
	if o.Reason != "" {
		detail["why"] = clip(o.Reason)
	}
	if o.Asked.ID != "" {
		detail["rollout"] = o.Asked.ID
	}
	by := auth.Principal{Kind: auth.System, Name: "supervisor"}
	if o.Result != slot.Committed {
		u.p.Log.Error("the last update was taken back", "to", o.To.Version, "code", o.Code, "reason", o.Reason)
	}
	u.event(ctx, by, "update."+string(o.Result), o.Asked.Reason, o.To, detail)
	if err := u.p.Dir.Noted(o.Seq); err != nil {
		u.p.Log.Warn("the outcome of the update will be in the audit twice", "err", err)
	}
}
