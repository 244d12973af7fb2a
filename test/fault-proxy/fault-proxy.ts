/**
 * A proxy between a client and an HTTP server that breaks what it is told to break: it answers in the server's stead,
 * resets connections in the middle of an answer, loses answers, falls silent, slows down, freezes, goes away.
 *
 *     await using proxy = await faultProxy({ upstream: cluster.server, tls: { ca, cert, key } })
 *     proxy.inject(isWatchOf('vms'), { reset: 1000 }, { times: 1 })
 *
 * Guarantees: plain HTTP/1.1 on loopback, on a port that stays the same through `down` and `up`; without a fault, bytes
 * are passed on as they come; every request is on record; after `stop` no socket is left.
 *
 * With `tls.cert` the server takes every client for that certificate's owner; without it, for whoever its
 * `authorization` header says.
 */
import { once } from 'node:events'
import {
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault, Injection, InjectOptions, Match, ProxiedRequest } from './faults.ts'

export interface FaultProxyOptions {
  readonly upstream: URL
  /** For an `https` upstream. */
  readonly tls?: { readonly ca?: string | Buffer; readonly cert?: string | Buffer; readonly key?: string | Buffer }
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: URL
  /** All that arrived, in order. */
  readonly requests: readonly ProxiedRequest[]
  /** Open connections of clients. */
  readonly connections: number
  /** Later injections come first; a request meets at most one fault. */
  inject(match: Match, fault: Fault, options?: InjectOptions): Injection
  /** Resolves once a request that matches arrived, those before included. */
  arrived(match: Match, options?: { readonly count?: number; readonly timeoutMs?: number }): Promise<ProxiedRequest>
  resetConnections(): void
  /** No byte passes in either direction until `thaw`; nothing is closed. */
  freeze(): void
  thaw(): void
  /** Resets all connections and refuses new ones, as if no process listened. */
  down(): Promise<void>
  up(): Promise<void>
  stop(): Promise<void>
}

interface ActiveInjection {
  readonly match: Match
  readonly fault: Fault
  skip: number
  left: number
  hits: number
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host'])

export async function faultProxy({ upstream, tls = {} }: FaultProxyOptions): Promise<FaultProxy> {
  const secure = upstream.protocol === 'https:'
  const agent = secure ? new HttpsAgent({ keepAlive: true, ...tls }) : new HttpAgent({ keepAlive: true })
  const requests: ProxiedRequest[] = []
  const injections: ActiveInjection[] = []
  const sockets = new Set<Socket>()
  const watchers = new Set<() => void>()
  let thawed: Promise<void> | undefined
  let thaw = () => {}

  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch(() => incoming.socket.resetAndDestroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })

  async function serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://proxy')
    const body = await readAll(incoming)
    const request: ProxiedRequest = {
      method: incoming.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body: body.toString('utf8'),
      status: undefined,
    }
    requests.push(request)
    const fault = faultFor(request)
    for (const watcher of [...watchers]) watcher()
    await thawed

    if (fault && 'answer' in fault) {
      request.status = fault.answer
      answer.writeHead(fault.answer, { 'content-type': 'application/json', ...fault.headers }).end(fault.body ?? '')
      return
    }
    if (fault && 'reset' in fault && fault.reset === 'before') return reset(incoming, fault)
    if (fault && 'delayMs' in fault) await delay(fault.delayMs)
    const upstreamAnswer = await ask(request, { incoming, body, answer })
    request.status = upstreamAnswer.statusCode
    if (fault && 'reset' in fault && fault.reset === 'after') {
      await readAll(upstreamAnswer)
      return reset(incoming, fault)
    }
    await pass(upstreamAnswer, answer, fault)
  }

  function faultFor(request: ProxiedRequest): Fault | undefined {
    for (const injection of injections.toReversed()) {
      if (injection.left === 0 || !injection.match(request)) continue
      if (injection.skip > 0) {
        injection.skip -= 1
        continue
      }
      injection.left -= 1
      injection.hits += 1
      return injection.fault
    }
    return undefined
  }

  function ask(
    request: ProxiedRequest,
    { incoming, body, answer }: { incoming: IncomingMessage; body: Buffer; answer: ServerResponse },
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | string[] | undefined> = {}
      for (const [name, value] of Object.entries(incoming.headers)) if (!HOP_BY_HOP.has(name)) headers[name] = value
      const outgoing = (secure ? httpsRequest : httpRequest)(
        { agent, host: upstream.hostname, port: upstream.port, method: request.method, path: incoming.url, headers },
        resolve,
      )
      outgoing.once('error', reject)
      answer.once('close', () => outgoing.destroy()) // a client that left: the server should know
      outgoing.end(body)
    })
  }

  async function pass(from: IncomingMessage, to: ServerResponse, fault: Fault | undefined): Promise<void> {
    const silentAfter = fault && 'silentAfter' in fault ? fault.silentAfter : Number.POSITIVE_INFINITY
    const resetAfter = fault && 'reset' in fault ? Number(fault.reset) : Number.POSITIVE_INFINITY
    if (silentAfter < 0) return
    const headers = Object.fromEntries(
      Object.entries(from.headers).filter(([name]) => !HOP_BY_HOP.has(name) && !(fault && name === 'content-length')),
    )
    to.writeHead(from.statusCode ?? 502, headers)
    to.flushHeaders()
    const closed = new Promise((resolve) => to.once('close', resolve))
    let passed = 0
    for await (const whole of from as AsyncIterable<Buffer>) {
      await thawed
      const chunk = fault && 'rewrite' in fault ? Buffer.from(fault.rewrite(whole.toString('utf8'))) : whole
      const allowed = Math.min(silentAfter, resetAfter) - passed
      const piece = chunk.subarray(0, allowed)
      if (fault && 'bytesPerSecond' in fault) await delay((1000 * piece.length) / fault.bytesPerSecond)
      if (to.destroyed) return
      if (piece.length > 0) await Promise.race([written(to, piece), closed])
      passed += piece.length
      if (passed >= resetAfter) {
        to.socket?.resetAndDestroy()
        return
      }
      if (passed >= silentAfter) return
    }
    if (!from.complete) to.socket?.resetAndDestroy()
    else to.end()
  }

  async function listen(port: number): Promise<void> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }

  function resetConnections(): void {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  async function down(): Promise<void> {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    resetConnections()
    await closed
  }

  await listen(0)
  const { port } = server.address() as AddressInfo

  async function stop(): Promise<void> {
    thaw()
    await down()
    agent.destroy()
  }

  return {
    url: new URL(`http://127.0.0.1:${port}`),
    requests,
    get connections() {
      return sockets.size
    },
    inject(match, fault, { times = Number.POSITIVE_INFINITY, skip = 0 } = {}) {
      const injection: ActiveInjection = { match, fault, skip, left: times, hits: 0 }
      injections.push(injection)
      return {
        get hits() {
          return injection.hits
        },
        remove: () => void injections.splice(injections.indexOf(injection), 1),
      }
    },
    async arrived(match, { count = 1, timeoutMs = 180_000 } = {}) {
      const found = () => requests.filter(match)[count - 1]
      const { promise, resolve, reject } = Promise.withResolvers<ProxiedRequest>()
      const look = () => {
        const request = found()
        if (request) resolve(request)
      }
      const timer = setTimeout(() => reject(new Error(`no ${count} such requests within ${timeoutMs} ms`)), timeoutMs)
      watchers.add(look)
      look()
      return promise.finally(() => {
        clearTimeout(timer)
        watchers.delete(look)
      })
    },
    resetConnections,
    freeze() {
      if (thawed) return
      const ice = Promise.withResolvers<void>()
      thawed = ice.promise
      thaw = () => {
        thawed = undefined
        ice.resolve()
      }
    },
    thaw: () => thaw(),
    down,
    up: () => listen(port),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function reset(
  incoming: IncomingMessage,
  { told }: { readonly told?: () => void | Promise<void> },
): Promise<void> {
  await told?.()
  incoming.socket.resetAndDestroy()
}

/** Resolves once the kernel has it, so that a slow reader slows the server down. */
function written(answer: ServerResponse, piece: Buffer): Promise<unknown> {
  return new Promise((resolve) => answer.write(piece, resolve))
}
