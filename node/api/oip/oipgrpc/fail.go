package oipgrpc

import (
	"context"
	"errors"
	"maps"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"edgeward"
	"edgeward/node/api/oip"
)

// kinds says what an error kind is in gRPC.
var kinds = map[edgeward.Kind]codes.Code{
	edgeward.Invalid: codes.InvalidArgument, edgeward.Unauthenticated: codes.Unauthenticated, edgeward.Forbidden: codes.PermissionDenied,
	edgeward.NotFound: codes.NotFound, edgeward.Conflict: codes.FailedPrecondition, edgeward.TooLarge: codes.ResourceExhausted,
	edgeward.Exhausted: codes.ResourceExhausted, edgeward.Unavailable: codes.Unavailable, edgeward.Unknown: codes.Unknown,
}

// fail is err as the client sees it. The text of an internal error stays in the log.
func (s *Server) fail(ss grpc.ServerStream, method string, err error) error {
	code, known := kinds[edgeward.KindOf(err)]
	r := oip.RefusalOf(err)
	switch {
	case errors.Is(err, context.Canceled) && ss.Context().Err() != nil:
		code = codes.Canceled
	case r.Code == "request.timeout":
		code = codes.DeadlineExceeded
	case !known:
		code = codes.Internal
		s.Log.Error("inference failed", "method", method, "error", err)
	}
	trailer := metadata.Pairs("edgeward-code", r.Code)
	info := &errdetails.ErrorInfo{Reason: r.Code, Domain: "edgeward", Metadata: maps.Clone(r.Params)}
	if r.Hint != "" {
		trailer.Set("edgeward-hint", ascii(r.Hint))
		if info.Metadata == nil {
			info.Metadata = map[string]string{}
		}
		info.Metadata["hint"] = r.Hint
	}
	if code == codes.Unavailable || edgeward.KindOf(err) == edgeward.Exhausted {
		after := r.Params["retry_after"]
		if after == "" {
			after = "1"
		}
		trailer.Set("retry-after", after)
	}
	ss.SetTrailer(trailer)
	st := status.New(code, strings.ToValidUTF8(r.Error, "�"))
	for k, v := range info.Metadata {
		info.Metadata[k] = strings.ToValidUTF8(v, "�")
	}
	if with, err := st.WithDetails(info); err == nil {
		st = with
	}
	return st.Err()
}

// ascii is s as metadata can carry it.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
}
