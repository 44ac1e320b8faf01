package oipgrpc

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"

	"edgeward/node/api/oip"
	"edgeward/node/auth"
)

// MaxStreamed is how many requests of one stream are under way at once; the next is not read before one is answered.
const MaxStreamed = 32

// streamed is one answer of a stream, or why there is none.
type streamed struct {
	inferResponse
	refused string
}

// stream answers ModelStreamInfer: each request in its turn, however long those behind it took. What is wrong with one is
// said in its answer and ends nothing; the end of the stream stops those under way. Requests of one sequence wait for each
// other, others do not.
func (s *Server) stream(ss grpc.ServerStream, _ auth.Principal) error {
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	turns := make(chan chan streamed, MaxStreamed-1) // one more is with the sender
	ended := make(chan struct{})
	go func() {
		defer close(turns)
		if err := s.read(ctx, ss, turns); err != nil {
			cancel(err)
		}
	}()
	var err error
	go func() {
		defer close(ended)
		for turn := range turns {
			a := <-turn
			if err == nil && ctx.Err() == nil {
				err = ss.SendMsg(&a)
			}
			if err != nil {
				cancel(err)
			}
		}
	}()
	select {
	case <-ended:
	case <-ctx.Done(): // read may wait for a message that does not come; returning ends it
		if cause := context.Cause(ctx); ss.Context().Err() == nil {
			return cause
		}
		return ss.Context().Err()
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read starts what comes and puts it in turn, until the client sends no more.
func (s *Server) read(ctx context.Context, ss grpc.ServerStream, turns chan<- chan streamed) error {
	last := map[string]chan struct{}{} // by sequence: closed when its last request has been answered
	for {
		in := &inferRequest{}
		if err := ss.RecvMsg(in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return sent{err}
		}
		received := s.Service.Now()
		p, err := s.who(ss.Context(), method{verb: auth.Predict, resource: auth.Endpoint}) // the token may have ended
		if err != nil {
			return err
		}
		turn, done := make(chan streamed, 1), make(chan struct{})
		before := last[in.Sequence.ID]
		if id := in.Sequence.ID; id != "" {
			last[id] = done
			if in.Sequence.End {
				delete(last, id)
			}
			forget(last)
		}
		select {
		case turns <- turn:
		case <-ctx.Done():
			return nil
		}
		go func() {
			defer close(done)
			if before != nil {
				<-before
			}
			turn <- s.one(ctx, p, in, received)
		}()
	}
}

// one answers one request of a stream.
func (s *Server) one(ctx context.Context, p auth.Principal, in *inferRequest, received time.Time) (out streamed) {
	defer func() {
		if v := recover(); v != nil {
			s.Log.Error("handler panicked", "method", "ModelStreamInfer", "panic", v, "stack", string(debug.Stack()))
			out = streamed{refused: oip.RefusalOf(errors.New("panic")).Error}
		}
	}()
	a, err := s.answer(ctx, p, in, received)
	if err != nil {
		r := oip.RefusalOf(err)
		if r.Code == "internal" {
			s.Log.Error("inference failed", "method", "ModelStreamInfer", "error", err)
		}
		id := in.ID
		return streamed{inferResponse{Answer: oip.Answer{ClientID: id}, code: r.Code}, strings.ToValidUTF8(r.Error, "�")}
	}
	a.final = true
	return streamed{inferResponse: a}
}

// forget drops sequences whose requests are answered once there are many.
func forget(last map[string]chan struct{}) {
	if len(last) <= 4*MaxStreamed {
		return
	}
	for id, done := range last {
		select {
		case <-done:
			delete(last, id)
		default:
		}
	}
}
