package api

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"edgeward/node/audit"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/node/wire"

	"github.com/danielgtaylor/huma/v2"
)

// witnesses are the heads of this server's log that nodes of its fleet have seen.
func (s *Server) witnesses() (out []audit.Witness) {
	if s.parts.Fleet == nil {
		return nil
	}
	for _, w := range s.parts.Fleet.Hub().Witnesses() {
		out = append(out, audit.Witness{Server: cmp.Or(w.Name, w.Node), Head: events.Head(w.Head)})
	}
	return out
}

type auditInput struct {
	Page
	From      time.Time `query:"from"`
	To        time.Time `query:"to"`
	Action    string    `query:"action" maxLength:"80" doc:"an action or its first words: model, model.version"`
	Principal string    `query:"principal" maxLength:"200"`
	Kind      string    `query:"kind" maxLength:"40" doc:"of the object"`
	Name      string    `query:"name" maxLength:"200" doc:"of the object"`
}

func (s *Server) audit() {
	handle(s, op{id: "audit.list", method: http.MethodGet, path: "/audit", summary: "The log, newest first", verb: auth.List, resource: auth.Event},
		func(ctx context.Context, in *auditInput) (*body[wire.List[events.Event]], error) {
			before, _ := strconv.ParseUint(in.Cursor, 10, 64)
			f := events.Filter{Group: principal(ctx).Group, Principal: in.Principal, Action: in.Action, Kind: in.Kind, Name: in.Name, From: in.From, To: in.To}
			if principal(ctx).Has(auth.Admin) {
				f.Group = "" // an administrator audits the node: names and reasons, no data
			}
			items, next, err := s.parts.Store.ListEvents(ctx, store.EventPage{Filter: f, Before: before, Limit: in.Limit})
			cursor := ""
			if next > 0 {
				cursor = strconv.FormatUint(next, 10)
			}
			return answer(listOf(items, cursor), err)
		})
	handle(s, op{id: "audit.verify", method: http.MethodGet, path: "/audit/verify", summary: "Is the log as it was written?", verb: auth.List, resource: auth.Event},
		func(ctx context.Context, _ *nothing) (*body[audit.Result], error) {
			return answer(audit.VerifyWitnessed(ctx, s.parts.Store, s.witnesses()))
		})
	handle(s, op{id: "audit.export", method: http.MethodGet, path: "/audit/export", summary: "The whole log with its checkpoint, to be verified elsewhere", verb: auth.Export, resource: auth.Event},
		func(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
			group := principal(ctx).Group
			if principal(ctx).Has(auth.Admin) {
				group = ""
			}
			return stream("application/x-ndjson", func(w io.Writer) error {
				_, err := audit.Export(ctx, s.parts.Store, w, s.parts.Node, group, s.now())
				return err
			}), nil
		})
}
