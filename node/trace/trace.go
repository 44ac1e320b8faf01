// Package trace tells an OpenTelemetry collector of the answers this server gives, by OTLP over HTTP. It is the only user
// of OpenTelemetry's libraries.
//
// One answer is one span, "infer ENDPOINT", with the endpoint, model, version, role and prediction id, what it waited for
// its turn, and a child span for each node of an inference graph. A caller that sends W3C trace context (traceparent) is
// its parent, and the caller's decision to sample holds; for others a share is sampled. Inputs and outputs are personal
// data and never in a span.
//
// Nothing is sent unless the administrator names a collector. Spans wait in a bounded queue; a collector that is away
// costs spans, never requests, and is said once a minute.
package trace

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otrace "go.opentelemetry.io/otel/trace"

	"edgeward"
	"edgeward/runtime/serve"
)

// Options say where traces go and who sends them. URL is needed.
type Options struct {
	URL                 string  // of the collector's OTLP endpoint, such as http://collector:4318/v1/traces
	Sample              float64 // of the answers whose callers did not decide, 0 to 1
	Node, Site, Version string
	Log                 *slog.Logger
}

// Tracer sends. Make it with Open.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otrace.Tracer
}

// Open returns a Tracer. The collector need not be there.
func Open(ctx context.Context, o Options) (*Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(o.URL), otlptracehttp.WithTimeout(10*time.Second))
	if err != nil {
		return nil, edgeward.E("trace.Open", edgeward.Invalid, "tracing.url", "%w", err).WithHint("tracing.url is an address such as http://collector:4318/v1/traces")
	}
	otel.SetErrorHandler(&complaints{log: o.Log, now: time.Now})
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Sample))),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "edgeward"), attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", o.Node), attribute.String("edgeward.site", o.Site))),
	)
	return &Tracer{provider: p, tracer: p.Tracer("edgeward")}, nil
}

// Close sends what waits, for as long as ctx lets it.
func (t *Tracer) Close(ctx context.Context) error {
	return edgeward.Wrap("trace.Close", t.provider.Shutdown(ctx))
}

// complaints logs an error of the libraries at most once a minute.
type complaints struct {
	log  *slog.Logger
	now  func() time.Time
	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.last) >= time.Minute {
		c.last = now
		c.log.Warn("traces do not reach the collector", "error", err)
	}
}

// Func is Answering, or nil of a nil Tracer: then nobody is told, at no cost.
func (t *Tracer) Func() serve.TraceFunc {
	if t == nil {
		return nil
	}
	return t.Answering
}

// Incoming is what takes a caller's trace context, or nil of a nil Tracer.
func (t *Tracer) Incoming() func(ctx context.Context, traceparent, tracestate string) context.Context {
	if t == nil {
		return nil
	}
	return incoming
}

// incoming returns ctx with the trace context that a caller sent as the headers traceparent and tracestate (W3C Trace
// Context). What cannot be read is as none.
func incoming(ctx context.Context, traceparent, tracestate string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate})
}

// Answering begins the span of an answer and returns what ends it: a serve.TraceFunc.
func (t *Tracer) Answering(ctx context.Context, r *serve.Request) func(serve.Answer, error) {
	ctx, span := t.tracer.Start(ctx, "infer "+r.Endpoint.Name, otrace.WithSpanKind(otrace.SpanKindServer))
	if !span.IsRecording() {
		return func(serve.Answer, error) {}
	}
	began := time.Now()
	return func(a serve.Answer, err error) {
		span.SetAttributes(attribute.String("edgeward.endpoint", r.Endpoint.Name), attribute.String("edgeward.prediction_id", r.ID))
		if err != nil {
			span.SetAttributes(attribute.String("error.type", edgeward.KindOf(err).String()), attribute.String("edgeward.code", edgeward.CodeOf(err)))
			span.SetStatus(codes.Error, edgeward.CodeOf(err))
			span.End()
			return
		}
		span.SetAttributes(attribute.String("edgeward.model", a.Of.Model), attribute.Int("edgeward.version", a.Version), attribute.String("edgeward.role", string(a.Role)),
			attribute.Int64("edgeward.queued_us", a.Queued.Microseconds()), attribute.Bool("edgeward.cached", a.Cached))
		for i, s := range a.Trace {
			from := began.Add(s.Start)
			_, child := t.tracer.Start(ctx, s.Node, otrace.WithTimestamp(from), otrace.WithAttributes(attribute.String("edgeward.step", s.What), attribute.String("edgeward.node", strconv.Itoa(i))))
			child.End(otrace.WithTimestamp(from.Add(s.Took)))
		}
		span.End()
	}
}
