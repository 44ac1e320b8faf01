package node

import (
	"context"
	"strings"

	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/events"
)

// answered is who acts where an answers file says what is to be done (node/answers).
const answered = "system:answers"

// answeredCode is the setting with the id of the join code that was answered last.
const answeredCode = "answers.code"

// answerAdmin makes the first administrator, if there is none and the answers say who it is.
func (n *Node) answerAdmin(ctx context.Context) error {
	a := n.o.Answers
	if a == nil || a.Admin == nil {
		return nil
	}
	if none, err := n.auth.NeedsSetup(ctx); err != nil || !none {
		return err
	}
	password, err := a.Password()
	if err != nil {
		return err
	}
	token, err := a.Token()
	if err != nil {
		return err
	}
	u, err := n.auth.First(ctx, auth.First{Name: a.Admin.User, Password: password, Token: token, By: "answers", From: "answers file"})
	if err == nil {
		n.log.Info("the first administrator was made as answered", "user", u.Name)
	}
	return err
}

// answerFleet has this server ask the hub of the join code that was answered, once for each code.
func (n *Node) answerFleet(ctx context.Context) error {
	a := n.o.Answers
	if a == nil {
		return nil
	}
	if err := a.Keep(n.cfg.DataDir); err != nil || a.Fleet == nil {
		return err
	}
	before, err := n.store.Setting(ctx, answeredCode)
	if err != nil {
		return err
	}
	m, err := n.role.Membership(ctx)
	if err != nil {
		return err
	}
	text, err := a.Code()
	switch {
	case err != nil && (before != "" || m.Fleet != "" || m.Pending):
		return nil // it has done its work, and may be gone
	case err != nil:
		return err
	}
	c, err := spec.ParseCode(text)
	if err != nil || c.ID == before {
		return err
	}
	log := n.log.With("part", "answers")
	switch {
	case m.Fleet != "":
		log.Info("the answered join code is not used: this server is in a fleet", "fleet", m.Name)
	case !m.Pending:
		if err := n.role.Ask(ctx, answered, text, a.Fleet.Tags); err != nil {
			return err
		}
		log.Info("asks the hub to be let in, as answered", "hub", strings.Join(c.Hubs, ", "), "code", c.ID)
	}
	return n.store.SetSetting(ctx, answeredCode, c.ID, events.Event{Time: n.now(), Principal: answered, Action: "answers.applied", Object: events.Object{Kind: "node", ID: n.id, Name: n.name}, Detail: map[string]string{"code": c.ID}})
}
