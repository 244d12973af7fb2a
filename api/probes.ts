/**
 * The other port: `/healthz` (the process lives), `/readyz` (it can do its work; what is missing, if not), `/metrics`.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import type { Registry } from 'prom-client'
import { listening } from '../config/listening.ts'

export interface ProbesOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly registry: Registry
  /** What keeps the process from its work now, a sentence each; empty when nothing does. */
  readonly missing: () => readonly string[]
}

export interface Probes {
  readonly url: string
  close(): Promise<void>
}

/** Rejects when the port cannot be had. */
export async function probes({ host, port, registry, missing }: ProbesOptions): Promise<Probes> {
  const app = new Hono()
  app.get('/healthz', (context) => context.text('ok\n'))
  app.get('/readyz', (context) => {
    const reasons = missing()
    return context.text(`${reasons.join('\n') || 'ok'}\n`, reasons.length === 0 ? 200 : 503)
  })
  app.get('/metrics', async (context) =>
    context.body(await registry.metrics(), 200, { 'content-type': registry.contentType }),
  )

  const server = createServer(getRequestListener(app.fetch))
  await listening(server, {
    ...{ host, port },
    variables: { host: 'SKYCLUST_METRICS_HOST', port: 'SKYCLUST_METRICS_PORT' },
  })
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
