/** A collector for a test: takes OTLP over HTTP as JSON on loopback, and keeps the spans. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface ReceivedSpan {
  /** `service.name`. */
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Of a root, empty. */
  readonly parentSpanId: string
  readonly attributes: Readonly<Record<string, string | number>>
}

export interface Collector extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** Everything that was posted, as it was. */
  text(): string
}

/** @see https://opentelemetry.io/docs/specs/otlp/#otlphttp */
interface Posted {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[]
  }[]
}

interface WireSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly Attribute[]
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number }
}

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  const bodies: unknown[] = []
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as Posted
    bodies.push(body)
    if (request.url === '/v1/traces') spans.push(...spansIn(body))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    text: () => JSON.stringify(bodies),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function spansIn({ resourceSpans }: Posted): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name'])
    return scopeSpans
      .flatMap((scope) => scope.spans)
      .map(({ name, traceId, spanId, parentSpanId = '', attributes }) => ({
        ...{ service, name, traceId, spanId, parentSpanId },
        attributes: valuesOf(attributes),
      }))
  })
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number> {
  const pairs = attributes.map(({ key, value }) => {
    const number = value.intValue ?? value.doubleValue
    return [key, value.stringValue ?? (number === undefined ? '' : Number(number))] as const
  })
  return Object.fromEntries(pairs)
}
