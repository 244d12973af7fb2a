/** What a collector of OpenTelemetry is told of a VM, from the REST call to the call of the cloud; seen on the processes. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Program } from '../cluster/program.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { until } from '../contract/rest.ts'
import { makeTeam, simKeys, type Team } from '../contract/rows/team.ts'
import { ADMIN } from '../contract/subject.ts'
import { type Collector, type ReceivedSpan, startCollector } from './collector.ts'

let collector: Collector
let installation: Installation
let team: Team

beforeAll(async () => {
  collector = await startCollector()
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '500' }
  installation = await startInstallation({ env, controllerEnv: env })
  team = await makeTeam(installation)
})
afterAll(async () => {
  await installation?.[Symbol.asyncDispose]()
  await collector?.[Symbol.asyncDispose]()
})

/** Of that trace, once there is one that matches. */
async function received(traceId: string, matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
  return vi.waitUntil(() => collector.spans.find((span) => span.traceId === traceId && matches(span)), {
    timeout: 120_000,
    interval: 100,
  })
}

async function metricsOf(program: Program | undefined): Promise<string> {
  const url = program?.records.find(({ metrics }) => typeof metrics === 'string')?.metrics
  return (await fetch(`${url}/metrics`)).text()
}

async function annotationsOf(vm: string): Promise<Readonly<Record<string, string>>> {
  const { items } = JSON.parse(await installation.cluster.kubectl('get', 'vms', '-A', '-o', 'json'))
  const [found] = items.filter(({ metadata }: { metadata: { uid: string } }) => metadata.uid === vm)
  return found.metadata.annotations ?? {}
}

describe('traces', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const callersSpan = '00f067aa0ba902b7'

  it('are one, of the caller’s, from POST /vms through the object to the call that makes the instance', async () => {
    const headers = { prefer: 'wait=60', traceparent: `00-${traceId}-${callersSpan}-01` }
    const answer = await team.makeVm({}, headers)
    expect(answer.status).toBe(201)

    const call = await received(traceId, ({ service }) => service === 'skyclust-api')
    expect(call).toMatchObject({
      name: 'POST /api/v1/vms',
      parentSpanId: callersSpan,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/v1/vms',
        'http.response.status_code': 201,
        'skyclust.request_id': answer.headers.get('x-request-id'),
      },
    })
    expect(await annotationsOf(answer.body.data.id)).toEqual({
      'skyclust.io/traceparent': `00-${traceId}-${call.spanId}-01`,
    })

    const create = await received(traceId, ({ name }) => name === 'sim create')
    expect(create).toMatchObject({
      service: 'skyclust-controller',
      attributes: {
        'skyclust.provider': 'sim',
        'skyclust.region': 'sim-1',
        'skyclust.action': 'create',
        'skyclust.outcome': 'ok',
        'skyclust.instances': 1,
      },
    })
    const reconcile = await received(traceId, ({ spanId }) => spanId === create.parentSpanId)
    expect(reconcile).toMatchObject({
      service: 'skyclust-controller',
      name: 'reconcile vm',
      parentSpanId: call.spanId,
      attributes: { 'skyclust.controller': 'vm', 'skyclust.object': answer.body.data.name },
    })
  })

  it('go on with the call that changes an object, and leave alone what asks for nothing', async () => {
    const id = (await team.makeVm({}, { prefer: 'wait=60' })).body.data.id
    const path = `/api/v1/vms/${id}`
    await until(
      () => team.owner.get(path),
      ({ body }) => body.data.status === 'running',
    )
    const before = await annotationsOf(id)
    const other = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
    const headers = { traceparent: `00-${other}-${callersSpan}-01` }

    expect((await team.owner.get(path, { headers })).status).toBe(200)
    expect(await annotationsOf(id)).toEqual(before)
    expect((await team.owner.post(`${path}/stop`, { headers })).status).toBe(200)

    const stop = await received(other, ({ name }) => name === 'sim stop')
    expect(stop.attributes).toMatchObject({ 'skyclust.action': 'stop', 'skyclust.outcome': 'ok' })
    expect((await received(other, ({ name }) => name === 'POST /api/v1/vms/{id}/stop')).parentSpanId).toBe(callersSpan)
  })

  it('are not left on objects for a caller who does not want to be traced', async () => {
    const headers = { prefer: 'wait=60', traceparent: `00-${'b'.repeat(32)}-${callersSpan}-00` }
    const answer = await team.makeVm({}, headers)
    expect(await annotationsOf(answer.body.data.id)).toEqual({})
  })

  it('lead from POST /credentials to its verification, and from a question to the facade to its own call of the cloud', async () => {
    const verified = 'd'.repeat(32)
    const headers = (trace: string) => ({ traceparent: `00-${trace}-${callersSpan}-01` })
    const body = { workspace_id: team.workspace, provider: 'sim', credentials: simKeys }
    const { status, body: made } = await team.owner.post('/api/v1/credentials', { body, headers: headers(verified) })
    expect(status).toBe(201)
    const verify = await received(verified, ({ name }) => name === 'sim verify')
    expect(verify).toMatchObject({ service: 'skyclust-controller', attributes: { 'skyclust.outcome': 'ok' } })

    const asked = 'e'.repeat(32)
    const path = `/api/v1/providers/sim/instances?credential_id=${made.data.id}`
    await until(
      () => team.owner.get(path, { headers: headers(asked) }),
      (answer) => answer.status === 200,
    )
    const list = await received(asked, ({ name }) => name === 'sim list')
    expect(list).toMatchObject({ service: 'skyclust-api', attributes: { 'skyclust.action': 'list' } })
    const parent = await received(asked, ({ spanId }) => spanId === list.parentSpanId)
    expect(parent).toMatchObject({ service: 'skyclust-api', name: 'GET /api/v1/providers/{name}/instances' })

    const counted = (action: string) =>
      new RegExp(`^skyclust_cloud_calls_total\\{.*provider="sim".*action="${action}".*outcome="ok".*\\} [1-9]`, 'm')
    expect(await metricsOf(installation.facades[0])).toMatch(counted('list'))
    expect(await metricsOf(installation.controller)).toMatch(counted('verify'))
  })

  it('hold no secret', async () => {
    const credentials = { ...simKeys, access_key: 'bad-key' }
    const body = { workspace_id: team.workspace, provider: 'sim', credentials }
    const secretTrace = 'c'.repeat(32)
    const headers = { traceparent: `00-${secretTrace}-${callersSpan}-01` }
    expect((await team.owner.post('/api/v1/credentials', { body, headers })).status).toBe(201)
    await received(secretTrace, ({ name }) => name === 'reconcile credential')

    const { password, token } = team.owner
    for (const secret of [...Object.values(credentials).slice(0, 2), ADMIN.password, password, token]) {
      expect(collector.text()).not.toContain(secret)
    }
  })
})
