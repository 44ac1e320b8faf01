// Package oip speaks the Open Inference Protocol, version 2, over HTTP with JSON and binary tensors, as Triton and KServe
// clients do. It is plain echo: decode, one call, encode.
//
//	GET  /v2                                        server metadata
//	GET  /v2/health/live, /v2/health/ready          public
//	GET  /v2/models/:m, …/versions/:v               metadata      read endpoint
//	GET  /v2/models/:m/ready, …/versions/:v/ready   readiness     read endpoint
//	POST /v2/models/:m/infer, …/versions/:v/infer   an answer     predict endpoint
//	GET  /v2/models/:m/config, …/versions/:v/config Triton's ModelConfig  read endpoint
//	GET  /v2/models/:m/stats, …/versions/:v/stats   statistics    read endpoint
//	GET  /v2/models/stats                           of all        list endpoint
//	POST /v2/repository/index                       what answers  list endpoint
//	POST /v2/repository/models/:m/load, …/unload    see below     promote endpoint
//	GET  /v2/systemsharedmemory[/region/:r]/status                      predict endpoint
//	POST /v2/systemsharedmemory/region/:r/register, …[/region/:r]/unregister   predict endpoint
//	GET  /v2/trace/setting, /v2/models/:m/trace/setting, /v2/logging   fixed; read endpoint. POST: update settings
//
// Package oipgrpc speaks the same over gRPC: both decode into a Request, call Service and encode its Answer.
//
// m is an endpoint of the caller's current group and v a version behind it (live, canary, shadow or the one before the
// last promotion). Without v the endpoint's spec decides who answers; model_version in the answer says who did.
//
// # Load and unload
//
// A load with file: parameters imports the files, in any format an import takes, as the next version of the endpoint's model (of
// a model of that name, where there is no endpoint yet) and promotes it; the number in the files' paths is the client's, ours is
// the registry's. What config says of inputs and outputs must be so; how a model runs is decided here. How pictures become inputs
// is declared by the configuration's parameter edgeward_image, which ModelConfig gives back, or by the request's. A load without files makes the
// version answer that answered last. It needs the right to promote, to create an endpoint that is not there, and to create
// versions for files. Unload takes all versions away: the endpoint stays, and answers 503. The reason that the audit log
// keeps is the parameter edgeward_reason or the header Edgeward-Reason. Load answers when the version does.
//
// # Ids
//
// Every answer has our prediction id, a ULID, in the header Edgeward-Prediction-Id and the parameter
// edgeward_prediction_id; feedback names it. The field id is the client's own if it sent one, else ours.
//
// The parameter edgeward_recorded is false in an answer that was not recorded, because the endpoint's record rate was
// reached: no feedback can speak of it.
//
// # Request parameters of ours
//
//	edgeward_event_time   when it happened in the world, RFC 3339; default: now. A forecast's origin.
//	edgeward_target_time  the time a forecast speaks of, RFC 3339
//	edgeward_key          the series within the endpoint, such as a hospital; at most 1024 bytes
//	edgeward_lookup       true: the server takes the inputs from its own data by key and event time; inputs must be empty
//	edgeward_sticky_key   requests of one key go to the same version while the spec stands; also the header
//	                      Edgeward-Sticky-Key; default: the prediction id
//	edgeward_trace        true: the answer's parameter edgeward_trace says what each node of an inference graph took: JSON as
//	                      text, [{"node","what","start_us","took_us"}]; of any other version, the whole
//	edgeward_variant      the name of a variant of the spec that shall answer; also the header Edgeward-Variant. One that
//	                      is not there is as none; the answer repeats the name, there and in the header, when it answered
//
// Of Triton's parameters priority (1 the highest, 0 none; see serve.Request) and timeout (microseconds from when the
// request is received) are taken, and classification of an output: its k highest values as "value:index[:label]". Any other
// parameter that begins with edgeward_ is refused, because it is misspelt; parameters of others are ignored, except those
// that would change the answer and that we do not have.
//
// # Sequences
//
// sequence_id, sequence_start and sequence_end make requests one sequence of an endpoint: the version that answered the
// first answers all, whatever is promoted meanwhile; if it is no longer there, the sequence is over (409). A request of a
// sequence that is not under way is refused; one is over when nothing came for ten minutes. Models keep no state.
//
// # Shared memory
//
// Clients on this machine may register a part of a file in /dev/shm as a region of their group (package shm) and name it
// as the place of an input's or output's data. Inputs are copied out before the model runs; together they are no larger
// than a request may be. Who is on another machine, or comes through a proxy, is refused. CUDA memory is not offered.
//
// # Bodies
//
// A body is JSON; with Inference-Header-Content-Length, that many bytes of JSON and then the binary data; with that header 0,
// nothing but the data of the model's one input, or the bytes of a picture for it. It may be packed with gzip or deflate: neither form may pass MaxBody, and
// all of it must arrive within BodyTimeout. An answer of a KiB or more is packed for who asks by Accept-Encoding.
//
// # Pictures
//
// An input whose preprocessing the version declares takes the tensor, or in its place BYTES of shape [n] (or [n,1]): n JPEG
// or PNG files of any size, each an element of the batch (package picture says how they are prepared). In JSON an element is
// the file's base64, because JSON carries no bytes. Metadata and configuration go on describing the tensor, so that clients
// that send it need not change; the parameter edgeward_image beside it says that files are taken. A body whose Content-Type is
// image/jpeg or image/png is one picture and nothing else, and answered in JSON.
//
// # Missing values
//
// JSON has no NaN. null stands for a missing value in FP32 and FP64 data and is taken by endpoints of kind forecast and
// table; raw endpoints refuse it as they refuse NaN in binary data. Infinity is refused everywhere. A NaN or infinity in
// an answer is null in JSON. FP16 and BF16 inputs are sent as binary data.
//
// # What is refused
//
// Everything wrong is a 4xx with {"error": text, "code": stable, "hint": what to do}: 400 what is wrong in the request,
// 404 an endpoint or version that is not there, 408 a body too slow, 413 a body over the bound, 415 a packing nobody knows, 429 too many at once
// (with Retry-After). 503 says that no version can answer now, 504 that the model took too long. Duplicate keys are
// refused: two readers would understand two different things.
package oip
