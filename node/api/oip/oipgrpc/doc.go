// Package oipgrpc speaks the Open Inference Protocol, version 2, over gRPC, as Triton and KServe clients do: the service
// inference.GRPCInferenceService. It decodes, makes one call of oip.Service, and encodes; what a request means, its
// parameters and what is refused are oip's, so that REST and gRPC cannot differ.
//
// # Who may call
//
// The metadata authorization: Bearer TOKEN says who asks, edgeward-group chooses another of the principal's groups. Each
// method needs a row of the same table as REST (see Methods). It is looked at before the message is read: who may not ask
// cannot make the server hold a large message. A stream asks again for each of its requests.
//
// Health (grpc.health.v1) asks nobody who they are, as /v2/health/ready does not; "" and the name of the inference service are
// what it knows. Reflection, version 1 and v1alpha, tells who may read endpoints what services and messages there are, so
// that grpcurl and the like need no .proto file.
//
// # Bounds
//
// A message is at most MaxBody bytes, compressed (gzip, deflate) or not; it must have arrived within BodyTimeout. A
// connection has at most MaxStreams calls at once and MaxHeader bytes of metadata.
//
// # Tensors
//
// The message of ModelInfer is copied once, out of the transport's frames into memory that belongs to the request, and
// read by hand: raw_input_contents are slices of it. Outputs are sent from where the engine put them. Everything read by
// hand is held against the generated code by a fuzz test.
//
// # Streams
//
// ModelStreamInfer answers requests in their order; at most MaxStreamed are under way, and no more is read before one is
// answered. What is wrong with one request is in error_message of its answer, with the code in the parameter edgeward_code.
// The end of the stream, or of the right to ask, stops what is under way. Requests of one sequence wait for each other.
//
// # Errors
//
// A kind is a gRPC code: Invalid InvalidArgument, Unauthenticated Unauthenticated, Forbidden PermissionDenied, NotFound
// NotFound, Conflict FailedPrecondition, TooLarge and Exhausted ResourceExhausted, Unavailable Unavailable, Unknown
// Unknown, else Internal; a deadline is DeadlineExceeded and a client that went Canceled. The stable code and the hint are
// in the trailing metadata edgeward-code and edgeward-hint, and with the parameters in a google.rpc.ErrorInfo. What gRPC
// itself refuses (a message over the bound is ResourceExhausted, an unknown compression Unimplemented) has no code of ours.
package oipgrpc
