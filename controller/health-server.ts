/**
 * `/healthz` (the process lives), `/readyz` (it can do its work; what is missing, if not) and `/metrics`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'
import { listening } from '../config/listening.ts'

export interface HealthServerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly registry: Registry
  /** What keeps the process from its work now, a sentence each; empty when nothing does. */
  readonly missing: () => readonly string[]
}

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

/** Rejects when the port cannot be had. */
export async function healthServer({ host, port, registry, missing }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { 'content-type': type }).end(body)
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return answer(200, 'text/plain', 'ok\n')
      case '/readyz': {
        const reasons = missing()
        return answer(reasons.length === 0 ? 200 : 503, 'text/plain', `${reasons.join('\n') || 'ok'}\n`)
      }
      case '/metrics':
        return answer(200, registry.contentType, await registry.metrics())
      default:
        return answer(404, 'text/plain', 'There are /healthz, /readyz and /metrics here.\n')
    }
  })
  await listening(server, {
    ...{ host, port },
    variables: { host: 'SKYCLUST_METRICS_HOST', port: 'SKYCLUST_METRICS_PORT' },
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
