/**
 * A server that speaks Compute Engine's REST, so that the provider runs against more than itself: paths and messages are those
 * of the protos that Google publishes in `@google-cloud/compute` (what is not in them is refused, and never answered), rules
 * and words those of its documents.
 *
 * It has asynchronous operations, `requestId`, fingerprints (412), names that are taken (409), quota, zones without room,
 * rates, pages, list filters, lists that lag, service accounts with a token endpoint, and faults on demand.
 * What it cannot vouch for is in docs/clouds.md.
 */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Accounts, accounts, OAuthRefusal, PROJECT } from './accounts.ts'
import { type GceProjectState, gceProject, type StoredInstance } from './project.ts'
import { GceRefusal, notFound } from './refusal.ts'
import { routeOf } from './routes.ts'
import { checkMessage } from './schema.ts'
import { type GceFault, type GceSettings, type GceTime, quickSettings, realTime } from './settings.ts'

export interface Gce extends AsyncDisposable {
  /** For SKYCLUST_GCP_ENDPOINT. */
  readonly url: string
  readonly settings: GceSettings
  readonly project: GceProjectState
  readonly accounts: Accounts
  /** Faults that are yet to come, in their order. */
  readonly faults: GceFault[]
  /** Every call that was made, in its order: `instances.insert`. */
  readonly calls: readonly string[]
  instances(): readonly StoredInstance[]
  stop(): Promise<void>
}

/** It is somebody else who does this. */
export const OUTSIDER = { user: 'somebody@example.com' } as const

const API = /^\/compute\/v1\/projects\/([^/?]+)(\/.*)?$/
const TOKEN = '/token'
const STS = '/v1/token'

interface ApiCall {
  readonly method: string
  readonly asked: URL
  readonly text: string
  readonly signal: AbortSignal
}

export async function startGce(settings: Partial<GceSettings> = {}, time: GceTime = realTime): Promise<Gce> {
  const current: GceSettings = { ...quickSettings, ...settings }
  let url = ''
  const registered = accounts(current, () => `${url}${TOKEN}`, time)
  const project = gceProject(current, () => `${url}/compute/v1/projects/${PROJECT}`, time)
  const faults: GceFault[] = []
  const calls: string[] = []

  const server = createServer((request, response) => void serve(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = new URL(request.url ?? '/', url)
    const text = await bodyOf(request)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const call = { method: request.method ?? '', asked, text, signal: gone.signal }
      const authorization = request.headers.authorization
      answer(response, 200, await resultOf(call, authorization))
    } catch (error) {
      refuse(response, error)
    }
  }

  function resultOf(call: ApiCall, authorization: string | undefined): Promise<unknown> {
    if (call.asked.pathname === TOKEN) return token(call.text)
    if (call.asked.pathname === STS) return (async () => registered.exchange(new URLSearchParams(call.text)))()
    return api(call, authorization)
  }

  function refuse(response: ServerResponse, error: unknown): void {
    if (error instanceof GceRefusal) {
      answer(response, error.status, error.body())
    } else if (error instanceof OAuthRefusal) {
      answer(response, 400, { error: error.code, error_description: error.message })
    } else if (!(error instanceof Mishap)) {
      answer(response, 500, { error: { code: 500, message: String(error), errors: [{ reason: 'backendError' }] } })
    } else if (error.what === 'lost') {
      response.socket?.destroy()
    } else if (error.what === 'html') {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad Gateway</html>')
    }
  }

  function token(text: string): Promise<unknown> {
    calls.push('oauth2.token')
    return underFault('oauth2.token', () => registered.token(new URLSearchParams(text), `${url}${TOKEN}`))
  }

  async function api(call: ApiCall, authorization: string | undefined): Promise<unknown> {
    const { method, asked, text, signal } = call
    const found = API.exec(asked.pathname)
    if (!found) throw new GceRefusal(404, 'notFound', 'The requested URL was not found on this server.')
    const { route, parts } = routeOf(method, found[2] ?? '')
    calls.push(route.action)
    const user = await registered.caller(authorization)
    checkProject(found[1] ?? '', route.action)
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    return underFault(route.action, async () => {
      const result = await route.answer(project, { user, parts, query: asked.searchParams, body, signal })
      checkMessage(route.message, result, 'response')
      return result
    })
  }

  async function underFault(action: string, act: () => Promise<unknown>): Promise<unknown> {
    const fault = faults.find((one) => one.action === action && one.count > 0)
    if (!fault) return act()
    fault.count--
    if (fault.effect === 'done') await act()
    if (typeof fault.answer === 'string') throw new Mishap(fault.answer)
    const { status, reason, message } = fault.answer
    throw new GceRefusal(status, reason, message)
  }

  function checkProject(name: string, action: string): void {
    if (name !== PROJECT) throw notFound(`projects/${name}`)
    if (!current.apiEnabled) {
      const words = `Compute Engine API has not been used in project ${PROJECT} before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project=${PROJECT} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.`
      throw new GceRefusal(403, 'accessNotConfigured', words, 'SERVICE_DISABLED')
    }
    if (!current.billingEnabled) {
      const words = `This API method requires billing to be enabled. Please enable billing on project #${PROJECT} by visiting https://console.developers.google.com/billing/enable?project=${PROJECT} then retry. If you enabled billing for this project recently, wait a few minutes for the action to propagate to our systems and retry.`
      throw new GceRefusal(403, 'forbidden', words, 'BILLING_DISABLED')
    }
    if (current.denied.includes(`compute.${action}`)) {
      throw new GceRefusal(403, 'forbidden', `Required 'compute.${action}' permission for 'projects/${PROJECT}'`)
    }
  }

  function answer(response: ServerResponse, status: number, body: unknown): void {
    response.statusCode = status
    response.setHeader('content-type', 'application/json; charset=UTF-8')
    response.setHeader('date', new Date(Date.now() + current.clockAheadMs).toUTCString())
    response.end(JSON.stringify(body))
  }

  async function stop(): Promise<void> {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }

  return {
    url,
    settings: current,
    project,
    accounts: registered,
    faults,
    calls,
    instances: () => project.instances(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** What is not an answer of Google's. */
class Mishap extends Error {
  readonly what: 'lost' | 'never' | 'html'

  constructor(what: 'lost' | 'never' | 'html') {
    super(what)
    this.what = what
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
