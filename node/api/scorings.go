package api

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"

	"github.com/danielgtaylor/huma/v2"
)

type scoringFileInput struct {
	NameInput
	Filename string `query:"filename" maxLength:"200"`

	upload
}

type scoringResultInput struct {
	NameInput
	Run string `query:"run" maxLength:"40" doc:"job of the run; the newest that succeeded when absent"`
}

func (s *Server) scorings() {
	handle(s, op{id: "scorings.list", method: http.MethodGet, path: "/scorings", summary: "Scorings", verb: auth.List, resource: auth.Scoring},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.ScoringView]], error) {
			items, next, err := s.parts.Store.ListScorings(ctx, principal(ctx).Group, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			views := make([]wire.ScoringView, len(items))
			for i, x := range items {
				views[i] = s.scoringView(ctx, x)
			}
			return answer(listOf(views, next), err)
		})
	handle(s, op{id: "scorings.create", method: http.MethodPost, path: "/scorings", summary: "Say what is to be scored without a caller", verb: auth.Create, resource: auth.Scoring,
		status: http.StatusCreated, free: makesNew},
		func(ctx context.Context, in *struct{ Body wire.ScoringRequest }) (*body[wire.ScoringView], error) {
			if err := mayDemo(ctx, in.Body.Demo); err != nil {
				return nil, err
			}
			x, err := s.parts.Work.CreateScoring(ctx, who(ctx), in.Body.Scoring())
			return answer(s.scoringView(ctx, x), err)
		})
	handle(s, op{id: "scorings.places", method: http.MethodGet, path: "/scoring-places", summary: "Where results may be sent, as the administrator configured it", verb: auth.Read, resource: auth.Scoring},
		func(context.Context, *nothing) (*body[wire.ScoringPlaces], error) {
			return answer(s.parts.Work.Places(), nil)
		})
	handle(s, op{id: "scorings.get", method: http.MethodGet, path: "/scorings/{name}", summary: "A scoring with its newest run", verb: auth.Read, resource: auth.Scoring},
		func(ctx context.Context, in *NameInput) (*body[wire.ScoringView], error) {
			x, err := s.parts.Store.Scoring(ctx, principal(ctx).Group, in.Name)
			if err != nil {
				return nil, err
			}
			v := s.scoringView(ctx, x)
			v.Actions = may(ctx, auth.Scoring)
			return answer(v, nil)
		})
	handle(s, op{id: "scorings.delete", method: http.MethodDelete, path: "/scorings/{name}", summary: "Remove a scoring and its deliveries; its run ends", verb: auth.Delete, resource: auth.Scoring,
		changes: "/scorings/{name}"},
		func(ctx context.Context, in *NameInput) (*struct{}, error) {
			return nil, s.parts.Work.RemoveScoring(ctx, who(ctx), in.Name)
		})
	handle(s, op{id: "scorings.schedule", method: http.MethodPost, path: "/scorings/{name}/schedule", summary: "Set, pause or resume the schedule", verb: auth.Update, resource: auth.Scoring,
		changes: "/scorings/{name}"},
		func(ctx context.Context, in *struct {
			NameInput
			Body wire.ScheduleRequest
		}) (*body[wire.ScoringView], error) {
			x, err := s.parts.Work.ChangeSchedule(ctx, who(ctx), in.Name, in.Body)
			return answer(s.scoringView(ctx, x), err)
		})
	handle(s, op{id: "scorings.file", method: http.MethodPost, path: "/scorings/{name}/file", summary: "Upload the CSV or Parquet file that the next run reads", verb: auth.Update, resource: auth.Scoring,
		changes: "/scorings/{name}", maxBody: -1},
		func(ctx context.Context, in *scoringFileInput) (*body[wire.ScoringView], error) {
			x, err := s.parts.Work.ScoringFile(ctx, who(ctx), in.Name, in.Filename, in.r.Body)
			return answer(s.scoringView(ctx, x), err)
		})
	handle(s, op{id: "scorings.run", method: http.MethodPost, path: "/scorings/{name}/run", summary: "Run it now", verb: auth.Create, resource: auth.Scoring,
		status: http.StatusAccepted, free: makesNew},
		func(ctx context.Context, in *NameInput) (*accepted, error) {
			j, err := s.parts.Work.RunScoring(ctx, who(ctx), in.Name)
			if err != nil {
				return nil, err
			}
			return &accepted{"/api/v1/jobs/" + j.ID, j}, nil
		})
	handle(s, op{id: "scorings.cancel", method: http.MethodPost, path: "/scorings/{name}/cancel", summary: "End the run that is going", verb: auth.Cancel, resource: auth.Scoring,
		free: "it ends whichever run is going"},
		func(ctx context.Context, in *NameInput) (*body[jobs.Job], error) {
			return answer(s.parts.Work.CancelScoring(ctx, who(ctx), in.Name))
		})
	handle(s, op{id: "scorings.runs", method: http.MethodGet, path: "/scorings/{name}/runs", summary: "Runs of a scoring, newest first", verb: auth.Read, resource: auth.Scoring},
		func(ctx context.Context, in *struct {
			NameInput
			Page
		}) (*body[wire.List[jobs.Job]], error) {
			group := principal(ctx).Group
			if _, err := s.parts.Store.Scoring(ctx, group, in.Name); err != nil {
				return nil, err
			}
			items, next, err := s.parts.Store.ScoringRuns(ctx, group, in.Name, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "scorings.result", method: http.MethodGet, path: "/scorings/{name}/result", summary: "The file of a run, CSV or Parquet", verb: auth.Export, resource: auth.Scoring}, s.scoringResult)
}

// scoringResult gives the file of a run to save.
func (s *Server) scoringResult(ctx context.Context, in *scoringResultInput) (*huma.StreamResponse, error) {
	f, r, err := s.parts.Work.ScoringResult(ctx, who(ctx), in.Name, in.Run)
	if err != nil {
		return nil, err
	}
	types := map[string]string{"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Disposition", `attachment; filename="`+in.Name+"."+r.Format+`"`)
		stream(types[r.Format], func(w io.Writer) error {
			defer f.Close()
			_, err := io.Copy(w, f)
			return err
		}).Body(c)
	}}, nil
}

func (s *Server) scoringView(ctx context.Context, x score.Scoring) wire.ScoringView {
	v := wire.ScoringView{Scoring: x}
	if next := x.NextRun(); !next.IsZero() {
		v.Next = &next
	}
	if x.Last != "" {
		if j, err := s.parts.Store.Job(ctx, x.Group, x.Last); err == nil {
			v.Run = &j
		}
	}
	return v
}
