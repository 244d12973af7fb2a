/**
 * Asks one thing over and over, on connections that are kept open, each with one request under way. Bytes in, bytes out:
 * an HTTP client would be busier than what is measured.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Target {
  readonly url: URL
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** For https. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of one core: a generator that is near 1 measures itself. */
  readonly generatorShare: number
}

export interface LoadOptions {
  readonly connections: number
  readonly durationMs: number
  /** Requests a second over all connections; as many as go, if left out. */
  readonly rate?: number
}

/** Throws at the first answer that is not 200. */
export async function load(target: Target, { connections, durationMs, rate }: LoadOptions): Promise<LoadResult> {
  const request = requestBytes(target)
  const startedAt = performance.now()
  const cpuBefore = process.cpuUsage()
  const deadline = startedAt + durationMs
  const intervalMs = rate === undefined ? 0 : (connections / rate) * 1000

  const latencies = await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const socket = await open(target)
      const taken: number[] = []
      let next = startedAt + (index / connections) * intervalMs
      while (performance.now() < deadline) {
        if (intervalMs > 0) await until(next)
        const sentAt = intervalMs > 0 ? next : performance.now() // lateness counts: no coordinated omission
        await exchange(socket, request)
        taken.push(performance.now() - sentAt)
        next += intervalMs
      }
      socket.destroy()
      return taken
    }),
  )
  const all = latencies.flat().sort((one, other) => one - other)
  const seconds = (performance.now() - startedAt) / 1000
  const at = (share: number) => all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? Number.NaN
  const { user, system } = process.cpuUsage(cpuBefore)
  const generatorShare = (user + system) / 1e6 / seconds
  return { requestsPerSecond: all.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), generatorShare }
}

/** The body of one answer. */
export async function once(target: Target): Promise<string> {
  const socket = await open(target)
  const body = await exchange(socket, requestBytes(target))
  socket.destroy()
  return body
}

function requestBytes({ url, path, headers = {} }: Target): Buffer {
  const lines = [`GET ${path} HTTP/1.1`, `host: ${url.host}`, 'user-agent: bench']
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

function open({ url, tls }: Target): Promise<Socket> {
  const place = { host: url.hostname, port: Number(url.port) }
  return new Promise((resolve, reject) => {
    const socket =
      url.protocol === 'https:'
        ? connectTls({ ...place, ...tls, ALPNProtocols: ['http/1.1'] }, () => resolve(socket))
        : connectPlain(place, () => resolve(socket))
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}

/** Sends, and waits for the whole answer. */
function exchange(socket: Socket, request: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0)
    function take(chunk: Buffer): void {
      received = received.byteLength === 0 ? chunk : Buffer.concat([received, chunk])
      const body = bodyOf(received)
      if (body === undefined) return
      socket.off('data', take)
      if (received.subarray(9, 12).toString() === '200') resolve(body)
      else reject(new Error(received.toString()))
    }
    socket.on('data', take)
    socket.write(request)
  })
}

/** `undefined` until all of it is there. */
function bodyOf(received: Buffer): string | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = received.subarray(0, end).toString().toLowerCase()
  const length = /content-length: (\d+)/.exec(head)?.[1]
  if (length !== undefined) {
    const start = end + 4
    return received.byteLength >= start + Number(length) ? received.subarray(start).toString() : undefined
  }
  return received.subarray(-5).toString() === '0\r\n\r\n' ? received.subarray(end + 4).toString() : undefined // chunked
}

function until(time: number): Promise<void> {
  const ms = time - performance.now()
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
