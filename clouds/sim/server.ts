/**
 * The thin shell that makes the simulated cloud an HTTP server.
 *
 *     POST   /api/<region>/<action>   the cloud itself; Basic authorization carries the access and the secret key
 *     GET    /instances               what exists, with tags and tokens; ?state=all has the terminated ones too
 *     GET    /control                 the settings in force; PATCH changes those that are named, DELETE restores all
 *     POST   /outside                 a change behind everybody's back: {"action": "stop", "ids": ["i-…"]}
 *     GET    /calls                   how many calls there were, by action; DELETE counts anew
 *     POST   /reset                   forgets everything
 *     GET    /healthz
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { z } from 'zod'
import { sleepMs } from '../sleep.ts'
import { exchange } from './exchange.ts'
import { inputSchemas } from './inputs.ts'
import { settingsSchema } from './settings.ts'
import type { Sim } from './sim.ts'
import { type SimAction, SimRefusal, type SimRequest, simActions } from './wire.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024

export function simServer(sim: Sim): Server {
  const server = createServer((request, response) => {
    route(sim, request, response).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy()
      const { status, code, message } = explained(error)
      reply(response, status, { error: { code, message } })
    })
  })
  server.keepAliveTimeout = 65_000
  return server
}

async function route(sim: Sim, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sim')
  const [, head, region, action] = url.pathname.split('/')
  switch (`${request.method} /${head}`) {
    case 'POST /api':
      return callApi(sim, { region: region ?? '', action: action ?? '' }, request, response)
    case 'GET /instances':
      return reply(response, 200, { instances: sim.instances({ state: stateIn(url) }) })
    case 'GET /control':
      return reply(response, 200, sim.settings)
    case 'PATCH /control':
      return reply(response, 200, sim.configure(await jsonBody(request)))
    case 'DELETE /control':
      return reply(response, 200, sim.configure(settingsSchema.parse({})))
    case 'POST /outside':
      return reply(response, 200, { instances: sim.outside(await jsonBody(request)) })
    case 'GET /calls':
      return reply(response, 200, sim.calls)
    case 'DELETE /calls':
      sim.resetCalls()
      return reply(response, 200, sim.calls)
    case 'POST /reset':
      sim.reset()
      return reply(response, 200, sim.settings)
    case 'GET /healthz':
      return reply(response, 200, { status: 'healthy' })
    default:
      throw new SimRefusal('NotFound', `There is no ${request.method} ${url.pathname} here`, 404)
  }
}

async function callApi(
  sim: Sim,
  { region, action }: { region: string; action: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isAction(action)) {
    throw new SimRefusal('InvalidAction', `The action ${action} is not valid; there are ${simActions.join(', ')}`)
  }
  const [accessKey, secretKey] = basicAuthorization(request)
  const input = inputSchemas[action].parse(await jsonBody(request)) as SimRequest['input']
  const delivery = await exchange(sim, { action, region, accessKey, secretKey, input }, sleepMs)
  if (delivery === 'never') return
  if (delivery === 'reset') return void request.socket.resetAndDestroy()
  reply(response, delivery.status, delivery)
}

function isAction(action: string): action is SimAction {
  return (simActions as readonly string[]).includes(action)
}

function basicAuthorization(request: IncomingMessage): [accessKey: string, secretKey: string] {
  const [, encoded = ''] = /^Basic (.+)$/i.exec(request.headers.authorization ?? '') ?? []
  const [accessKey = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':')
  return [accessKey, secret.join(':')]
}

function stateIn(url: URL): 'live' | 'all' {
  const state = url.searchParams.get('state') ?? 'live'
  if (state === 'live' || state === 'all') return state
  throw new SimRefusal('InvalidParameterValue', `state is "${state}"; it may be "live" or "all"`)
}

async function jsonBody<T>(request: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES)
      throw new SimRefusal('RequestTooLarge', `The body may have ${MAX_BODY_BYTES} bytes`, 413)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || '{}') as T
  } catch (error) {
    throw new SimRefusal('MalformedRequest', `The body is not JSON: ${(error as Error).message}`)
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function explained(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof SimRefusal) return error
  if (error instanceof z.ZodError)
    return { status: 400, code: 'InvalidParameterValue', message: z.prettifyError(error) }
  return { status: 500, code: 'InternalError', message: error instanceof Error ? error.message : String(error) }
}
