/** Programs that meet definitions one version newer or older than they are; docs/versions.md says what happens then. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { instanceTags } from '../../crds/names.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { until } from '../contract/rest.ts'
import { makeTeam, type Team } from '../contract/rows/team.ts'

let installation: Installation
let team: Team

beforeAll(async () => {
  installation = await startInstallation()
  team = await makeTeam(installation)
})
afterAll(() => installation?.[Symbol.asyncDispose]())

const patience = { timeout: 180_000, interval: 200 }
const schema = '/spec/versions/0/schema/openAPIV3Schema/properties'
const definition = 'customresourcedefinition/vms.skyclust.io'

async function changeDefinition(...changes: readonly object[]): Promise<void> {
  await installation.cluster.kubectl('patch', definition, '--type=json', '-p', JSON.stringify(changes))
}

interface StoredVM {
  readonly metadata: { readonly uid: string; readonly name: string; readonly namespace: string }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

async function stored(id: string): Promise<StoredVM> {
  const { items } = JSON.parse(await installation.cluster.kubectl('get', 'vms.skyclust.io', '-A', '-o', 'json'))
  return items.find(({ metadata }: StoredVM) => metadata.uid === id)
}

/** As the administrator, whom the API server only warns of a field that it does not know. Answers with what would be, or is, stored. */
async function patch(vm: StoredVM, body: object, ...more: readonly string[]): Promise<StoredVM> {
  const { name, namespace } = vm.metadata
  const wanted = ['--type=merge', '-p', JSON.stringify(body), ...more]
  const { kubectl } = installation.cluster
  return JSON.parse(await kubectl('patch', 'vms.skyclust.io', name, '-n', namespace, ...wanted, '-o', 'json'))
}

async function becomes(id: string, status: string): Promise<void> {
  await until(
    () => team.owner.get(`/api/v1/vms/${id}`),
    ({ body }) => body?.data?.status === status,
    120_000,
  )
}

/** Those that were ever made for the VM, terminated ones too. */
async function instancesOf(id: string): Promise<number> {
  const answer = await fetch(`${installation.simUrl}/instances?state=all`)
  const { instances } = (await answer.json()) as { instances: { tags: Record<string, string> }[] }
  return instances.filter(({ tags }) => tags[instanceTags.vmUID] === id).length
}

describe('definitions that are newer than the programs', () => {
  it('bring fields that are kept, in spec and status, whatever is done to the VM', async () => {
    const id: string = (await team.makeVm()).body.data.id
    await becomes(id, 'running')
    await changeDefinition(
      { op: 'add', path: `${schema}/spec/properties/futureWish`, value: { type: 'string' } },
      { op: 'add', path: `${schema}/status/properties/futureFact`, value: { type: 'string' } },
    )
    const vm = await stored(id)
    await vi.waitFor(async () => {
      await patch(vm, { spec: { futureWish: 'kept' } })
      await patch(vm, { status: { futureFact: 'kept' } }, '--subresource=status')
      const { spec, status } = await stored(id)
      expect([spec.futureWish, status?.futureFact]).toEqual(['kept', 'kept'])
    }, patience)

    expect((await team.owner.post(`/api/v1/vms/${id}/stop`)).status).toBe(200)
    await becomes(id, 'stopped')

    const { spec, status } = await stored(id)
    expect(spec).toMatchObject({ powerState: 'Stopped', futureWish: 'kept' })
    expect(status).toMatchObject({ state: 'stopped', futureFact: 'kept' })
    expect(await instancesOf(id)).toBe(1)
  })
})

describe('definitions that are older than the programs', () => {
  it('make a VM wait that needs a note they do not know; with the right ones it gets its one instance', async () => {
    const path = `${schema}/status/properties/create`
    const current = JSON.parse(await installation.cluster.kubectl('get', definition, '-o', 'json'))
    const known = current.spec.versions[0].schema.openAPIV3Schema.properties.status.properties.create
    const probe = await stored((await team.makeVm({}, { prefer: 'wait=60' })).body.data.id)
    await changeDefinition({ op: 'remove', path })
    const note = { status: { create: { token: 'a', sentAt: '2026-01-01T00:00:00Z' } } }
    await vi.waitFor(async () => {
      const { status } = await patch(probe, note, '--subresource=status', '--dry-run=server')
      expect(status).not.toHaveProperty('create')
    }, patience)

    const id: string = (await team.makeVm()).body.data.id
    const { name } = (await stored(id)).metadata
    const told = () => installation.controller?.lines ?? []
    await vi.waitUntil(() => told().some((line) => line.includes('unknown field') && line.includes(name)), patience)
    expect(await instancesOf(id)).toBe(0)

    await changeDefinition({ op: 'add', path, value: known })
    await becomes(id, 'running')
    expect(await instancesOf(id)).toBe(1)
  })
})
