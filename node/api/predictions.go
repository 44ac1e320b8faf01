package api

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/runtime/query"
	"edgeward/runtime/record"

	"github.com/danielgtaylor/huma/v2"
)

type predictionsInput struct {
	NameInput
	Page
	From    time.Time `query:"from" doc:"event time, included"`
	To      time.Time `query:"to" doc:"event time, excluded"`
	Version int       `query:"version" minimum:"0"`
	Role    string    `query:"role" enum:"live,canary,shadow,direct,variant"`
	Key     string    `query:"key" maxLength:"200" doc:"series"`
}

func (in *predictionsInput) query() record.Query {
	q := record.Query{Version: in.Version, Key: in.Key, From: in.From, To: in.To}
	if in.Role != "" {
		q.Roles = []record.Role{record.Role(in.Role)}
	}
	return q
}

type exportInput struct {
	NameInput
	From   time.Time        `query:"from" doc:"event time, included"`
	To     time.Time        `query:"to" doc:"event time, excluded"`
	Format query.FileFormat `query:"format" enum:"parquet,csv" default:"parquet"`
	Inputs bool             `query:"inputs" doc:"with the inputs, as far as the endpoint's policy kept them"`
}

// exportPredictions gives the table as a file to save.
func (s *Server) exportPredictions(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	f, err := s.parts.Work.ExportRecords(ctx, who(ctx), record.Table{Endpoint: in.Name, From: in.From, To: in.To, Inputs: in.Inputs}, in.Format)
	if err != nil {
		return nil, err
	}
	types := map[query.FileFormat]string{query.Parquet: "application/vnd.apache.parquet", query.CSV: "text/csv; charset=utf-8"}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Disposition", `attachment; filename="`+in.Name+"."+string(in.Format)+`"`)
		stream(types[in.Format], func(w io.Writer) error {
			defer f.Close()
			_, err := io.Copy(w, f)
			return err
		}).Body(c)
	}}, nil
}

func (s *Server) predictions() {
	handle(s, op{id: "predictions.list", method: http.MethodGet, path: "/endpoints/{name}/predictions", summary: "What was said, newest first", verb: auth.List, resource: auth.Prediction},
		func(ctx context.Context, in *predictionsInput) (*body[wire.List[record.Summary]], error) {
			if _, err := s.parts.Store.Deployment(ctx, key(ctx, in.Name)); err != nil {
				return nil, err
			}
			before, _ := strconv.ParseUint(in.Cursor, 10, 64)
			limit := in.Limit
			if limit == 0 {
				limit = 100
			}
			items, next := s.parts.Records.List(principal(ctx).Group, in.Name, in.query(), before, limit)
			cursor := ""
			if next > 0 {
				cursor = strconv.FormatUint(next, 10)
			}
			return answer(listOf(items, cursor), nil)
		})
	handle(s, op{id: "predictions.get", method: http.MethodGet, path: "/predictions/{id}", summary: "One prediction, its shadows and what was said of it", verb: auth.Read, resource: auth.Prediction},
		func(ctx context.Context, in *idInput) (*body[wire.PredictionEntry], error) {
			e, err := s.parts.Records.Get(ctx, principal(ctx).Group, in.ID)
			return answer(wire.NewPredictionEntry(e), err)
		})
	handle(s, op{id: "predictions.export", method: http.MethodGet, path: "/endpoints/{name}/predictions/export", summary: "Predictions with their feedback as one table, Parquet or CSV", verb: auth.Export, resource: auth.Prediction},
		s.exportPredictions)
}
