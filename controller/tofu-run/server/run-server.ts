/**
 * The HTTP server that runners and their tofu speak to, on a port of its own. It reads the path, the token and a bounded body, and leaves
 * every decision to `run-desk.ts`.
 *
 *     /v1/runs/<namespace>/<name>/<uid>/<phase>/<what>
 *
 * What the apiserver does not answer becomes 503, which runner and tofu repeat; nothing that goes wrong ends the process.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isUnavailable } from '../../../kube/kube-error.ts'
import { type RunPhase, runPhases } from '../state/stack-head.ts'
import type { Answer, Caller, RunDesk, Visitor } from './run-desk.ts'

export interface RunServer {
  readonly port: number
  close(): Promise<void>
}

const MiB = 1024 * 1024
const largestState = 256 * MiB
const largestPiece = MiB

class TooLarge extends Error {}

export async function runServer(options: {
  readonly desk: RunDesk
  readonly host: string
  /** 0 picks one. */
  readonly port: number
  readonly onError: (error: unknown) => void
}): Promise<RunServer> {
  const { desk, host, port, onError } = options
  const server = createServer((request, response) => {
    answer(desk, request)
      .catch((error: unknown) => failure(error, onError))
      .then((given) => send(response, given))
      .catch(onError)
  })
  server.requestTimeout = 300_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return { port: (server.address() as AddressInfo).port, close: () => closed(server) }
}

async function answer(desk: RunDesk, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://runner')
  const route = readRoute(url.pathname, request)
  if (route === undefined) return { status: 404, body: 'there is nothing here' }
  const visitor = await desk.admit(route.caller)
  if (visitor === undefined) return { status: 401, body: 'no token, or one of a run that is over' }
  if (visitor.bearer === 'tofu' && route.what !== 'state') {
    return { status: 403, body: 'the token of tofu opens the state, and nothing else' }
  }
  return handle(desk, visitor, `${request.method} ${route.what}`, { request, url })
}

async function handle(
  desk: RunDesk,
  visitor: Visitor,
  asked: string,
  { request, url }: { request: IncomingMessage; url: URL },
): Promise<Answer> {
  const text = async () => String(await bodyOf(request, largestPiece))
  const large = () => bodyOf(request, largestState)
  switch (asked) {
    case 'POST begin':
      return desk.begin(visitor, String((JSON.parse(await text()) as { runner?: unknown }).runner))
    case 'GET bundle':
      return desk.bundle(visitor)
    case 'POST progress':
      return desk.progress(visitor)
    case 'PUT changes':
      return desk.putChanges(visitor, boundedDocument(String(await large())))
    case 'PUT plan':
    case 'PUT workspace':
      return desk.putPart(visitor, asked === 'PUT plan' ? 'plan' : 'workspace', await large())
    case 'GET plan':
    case 'GET workspace':
      return desk.getPart(visitor, asked === 'GET plan' ? 'plan' : 'workspace')
    case 'PUT errored':
      return desk.putErrored(visitor, await large())
    case 'POST result':
      return desk.result(visitor, await text())
    case 'GET state':
      return desk.getState(visitor)
    case 'POST state':
      return desk.putState(visitor, await large(), url.searchParams.get('ID') ?? undefined, md5Of(request))
    case 'LOCK state':
      return desk.lock(visitor, await text())
    case 'UNLOCK state':
      return desk.unlock(visitor, await text())
    default: {
      const piece = /^PUT output\/(\d{1,6})$/.exec(asked)?.[1]
      if (piece !== undefined) return desk.putOutput(visitor, Number(piece), await text())
      return { status: 405, body: `${asked} is not answered` }
    }
  }
}

/** A ConfigMap holds a megabyte: a longer document is left out, and says so. */
function boundedDocument(document: string): string {
  const most = 900_000
  if (Buffer.byteLength(document) <= most) return document
  return JSON.stringify({
    left_out: `the changes are ${Buffer.byteLength(document)} bytes long, more than the ${most} that are kept`,
  })
}

function readRoute(path: string, request: IncomingMessage): { caller: Caller; what: string } | undefined {
  const [, namespace, name, uid, phase, what] =
    /^\/v1\/runs\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (namespace === undefined || name === undefined || uid === undefined || what === undefined) return undefined
  if (!runPhases.includes(phase as RunPhase)) return undefined
  return { caller: { key: { namespace, name }, uid, phase: phase as RunPhase, token: tokenOf(request) }, what }
}

/** The runner sends it as a bearer token, tofu as the password of basic authentication. */
function tokenOf(request: IncomingMessage): string {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ')
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return ''
  return Buffer.from(value, 'base64')
    .toString('utf8')
    .replace(/^[^:]*:/, '')
}

function md5Of(request: IncomingMessage): string | undefined {
  const header = request.headers['content-md5']
  return typeof header === 'string' ? header : undefined
}

async function bodyOf(request: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) throw new TooLarge(`a body may have at most ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function failure(error: unknown, onError: (error: unknown) => void): Answer {
  if (error instanceof TooLarge) return { status: 413, body: error.message }
  if (error instanceof SyntaxError) return { status: 400, body: error.message }
  if (isUnavailable(error)) return { status: 503, body: 'the cluster does not answer; try again' }
  onError(error)
  return { status: 500, body: 'it failed; the log of the controller has the details' }
}

function send(response: ServerResponse, { status, body, type = 'text/plain; charset=utf-8' }: Answer): void {
  if (status === 503) response.setHeader('retry-after', '2')
  if (body !== undefined) response.setHeader('content-type', type)
  response.statusCode = status
  response.end(body)
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
