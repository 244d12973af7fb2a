/**
 * Traces for OpenTelemetry: spans that know the span in which they begin, sent to a collector by OTLP over HTTP.
 *
 * The SDK is loaded only by {@link openTracing}: who is not told of a collector pays nothing for it. It reads those of its
 * own variables that are no settings of ours, such as OTEL_TRACES_SAMPLER and OTEL_EXPORTER_OTLP_HEADERS.
 *
 * Guarantees: tracing changes neither what the work answers nor what it throws; a collector that is slow or gone costs spans,
 * never work. Attributes are what the caller of this says and nothing else: no argument, body or message of an error is taken.
 *
 * @see https://www.w3.org/TR/trace-context/
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Attributes, Span } from '@opentelemetry/api'

export interface SpanStart {
  /** One of few: no name, id or address in it. */
  readonly name: string
  readonly kind: 'server' | 'consumer' | 'client'
  readonly attributes: Attributes
  /** A `traceparent` from elsewhere; what is none is ignored. Default: the span in which this one begins. */
  readonly parent?: string | undefined
  /** A `traceparent` that this one has to do with, without being a part of it. */
  readonly link?: string | undefined
}

export interface RunningSpan {
  set(attributes: Attributes): void
  /** What it stands for went wrong. */
  fail(): void
}

export interface Tracing {
  /** Runs the work within a new span, which ends when the work does; what it throws is thrown, and fails the span. */
  run<T>(start: SpanStart, work: (span: RunningSpan) => T): T
  /** A span of something that has just ended. */
  ended(start: SpanStart, outcome: { readonly durationMs: number; readonly failed: boolean }): void
  /** Of the span that this runs in, if it is recorded: what another process needs to go on with the trace. */
  traceparent(): string | undefined
  /** Sends what is left, for `timeoutMs` at most. */
  close(timeoutMs: number): Promise<void>
}

export interface TracingOptions {
  /** Where spans are posted: `http://otel-collector:4318/v1/traces`. */
  readonly url: string
  /** `service.name`. */
  readonly service: string
  readonly version: string
  /** Spans could not be sent. */
  readonly onError: (message: string) => void
}

/** What a span's children see of it. One that has ended begets nothing: a loop that it started outlives it. */
interface Active {
  readonly span: Span
  hasEnded: boolean
}

export async function openTracing({ url, service, version, onError }: TracingOptions): Promise<Tracing> {
  const [api, { parseTraceParent }, { OTLPTraceExporter }, { defaultResource, resourceFromAttributes }, sdk] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/core'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace-base'),
    ])
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } = api
  const quiet = () => undefined
  const logger = { error: onError, warn: onError, info: quiet, debug: quiet, verbose: quiet }
  api.diag.setLogger(logger, { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true })

  const named = resourceFromAttributes({ 'service.name': service, 'service.version': version })
  const provider = new sdk.BasicTracerProvider({
    resource: defaultResource().merge(named),
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter({ url }))],
  })
  const tracer = provider.getTracer('skyclust', version)
  const active = new AsyncLocalStorage<Active>()
  const kinds = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER, client: SpanKind.CLIENT } as const

  function begin({ name, kind, attributes, parent, link }: SpanStart, startTime?: number): Span {
    const around = active.getStore()
    const remote = spanContext(parent)
    const context = remote
      ? trace.setSpanContext(ROOT_CONTEXT, remote)
      : around && !around.hasEnded
        ? trace.setSpan(ROOT_CONTEXT, around.span)
        : ROOT_CONTEXT
    const linked = spanContext(link)
    const links = linked ? [{ context: linked }] : []
    return tracer.startSpan(name, { kind: kinds[kind], attributes, links, ...(startTime && { startTime }) }, context)
  }

  function spanContext(traceparent: string | undefined) {
    const parsed = traceparent === undefined ? null : parseTraceParent(traceparent)
    return parsed && api.isSpanContextValid(parsed) ? { ...parsed, isRemote: true } : undefined
  }

  function fail(span: Span): void {
    span.setStatus({ code: SpanStatusCode.ERROR })
  }

  return {
    run<T>(start: SpanStart, work: (span: RunningSpan) => T): T {
      const span = begin(start)
      const own: Active = { span, hasEnded: false }
      const end = () => {
        own.hasEnded = true
        span.end()
      }
      const failed = (error: unknown): never => {
        fail(span)
        end()
        throw error
      }
      let result: T
      try {
        const running = { set: (attributes: Attributes) => void span.setAttributes(attributes), fail: () => fail(span) }
        result = active.run(own, () => work(running))
      } catch (error) {
        return failed(error)
      }
      if (!(result instanceof Promise)) {
        end()
        return result
      }
      return result.then((value) => {
        end()
        return value
      }, failed) as T
    },

    ended(start, { durationMs, failed }) {
      const endedAt = Date.now()
      const span = begin(start, endedAt - durationMs)
      if (failed) fail(span)
      span.end(endedAt)
    },

    traceparent() {
      const own = active.getStore()
      if (own === undefined || own.hasEnded) return undefined
      const { traceId, spanId, traceFlags } = own.span.spanContext()
      return traceFlags & TraceFlags.SAMPLED ? `00-${traceId}-${spanId}-01` : undefined
    },

    async close(timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, timeoutMs)
      await Promise.race([provider.shutdown().catch((error: unknown) => onError(String(error))), promise])
      clearTimeout(timer)
    },
  }
}
