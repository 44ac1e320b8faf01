package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type snippetsInput struct {
	NameInput
	URL  string `query:"url" maxLength:"300" doc:"the address programs will use; default: the one this request came to"`
	Lang string `query:"lang" maxLength:"20" doc:"one of curl, python, go, mqtt, json, v2-curl, v2-python; default: all"`
	caller
}

// base is the address that programs will use.
func (s *Server) base(ctx context.Context, in *snippetsInput) (string, error) {
	if in.URL != "" {
		return in.URL, nil
	}
	if local, _ := ctx.Value(localKey{}).(bool); !local {
		if in.r.TLS != nil {
			return "https://" + in.r.Host, nil
		}
		return "http://" + in.r.Host, nil
	}
	st, err := s.parts.Status(ctx)
	if err != nil {
		return "", err
	}
	base := ""
	for _, l := range st.Listeners {
		if l.State == "on" && (l.Name == "http" && base == "" || l.Name == "https") {
			base = l.Name + "://" + l.Address
		}
	}
	return base, nil
}

func (s *Server) snippets() {
	handle(s, op{id: "endpoints.snippets", method: http.MethodGet, path: "/endpoints/{name}/snippets", summary: "Programs that ask this endpoint", verb: auth.Read, resource: auth.Endpoint},
		func(ctx context.Context, in *snippetsInput) (*body[wire.Snippets], error) {
			base, err := s.base(ctx, in)
			if err != nil {
				return nil, err
			}
			return answer(s.parts.Work.Snippets(ctx, principal(ctx).Group, in.Name, base, in.Lang))
		})
}
