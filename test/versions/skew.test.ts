/** Programs that meet definitions one version newer or older than they are, kind by kind; docs/versions.md says what happens then. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { apiVersion, group, instanceTags } from '../../crds/names.ts'
import type { Condition } from '../../kube/conditions.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { type Answer, until } from '../contract/rest.ts'
import { made, makeTeam, simKeys, type Team } from '../contract/rows/team.ts'

let installation: Installation
let team: Team
/** Its namespace. */
let namespace: string

beforeAll(async () => {
  installation = await startInstallation()
  team = await makeTeam(installation)
  namespace = (await stored('workspaces', team.workspace)).metadata.name
})
afterAll(() => installation?.[Symbol.asyncDispose]())

const patience = { timeout: 180_000, interval: 200 }
const schema = '/spec/versions/0/schema/openAPIV3Schema/properties'

interface Stored {
  readonly metadata: {
    readonly uid: string
    readonly name: string
    readonly namespace?: string
    readonly generation: number
  }
  readonly spec: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly observedGeneration?: number
    readonly conditions?: readonly Condition[]
  }
}

/** A kind, what is asked of an object of it over REST, and what becomes of one whose definition lacks something. */
interface Row {
  readonly plural: string
  /** Makes one. Answers with its id. */
  make(): Promise<string>
  /** Asks for a change, which the controller has to carry out. */
  change(id: string): Promise<Answer>
  /** A field of the status without which the controller cannot say what it has done, or is about to do. */
  readonly note: string
  /** The spec of another one, in the team's namespace where the kind has one. */
  readonly spec: object
  /** How often that was done which must not be done twice, where there is such a thing. */
  done?(object: Stored): Promise<number>
}

const rows: readonly Row[] = [
  {
    plural: 'workspaces',
    make: () => made(team.owner.post('/api/v1/workspaces', { body: { name: 'another' } })),
    change: (id) => team.owner.put(`/api/v1/workspaces/${id}`, { body: { name: 'renamed' } }),
    note: 'namespaceUID',
    spec: { owner: 'late' },
  },
  {
    plural: 'credentials',
    make: async () => team.credential,
    change: (id) =>
      team.owner.put(`/api/v1/credentials/${id}`, { body: { credentials: { ...simKeys, region: 'sim-2' } } }),
    note: 'account',
    spec: { provider: 'sim', secretRef: { name: 'late' }, region: 'sim-1' },
  },
  {
    plural: 'users',
    make: async () => team.owner.id,
    change: (id) => team.owner.put(`/api/v1/users/${id}`, { body: { name: 'Renamed' } }),
    note: 'conditions',
    spec: { email: 'late@example.com', displayName: 'Late' },
  },
  {
    plural: 'vms',
    make: () => made(team.makeVm({ credential_id: team.credential }, { prefer: 'wait=60' })),
    change: (id) => team.owner.post(`/api/v1/vms/${id}/stop`),
    note: 'create',
    spec: { provider: 'sim', credentialRef: { name: '' }, instanceType: 'small', image: 'ubuntu' },
    done: ({ metadata }) => instancesOf(metadata.uid),
  },
  {
    plural: 'tofuruns',
    make: waitingRun,
    change: async (id) => {
      const { body } = await team.owner.get(`/api/v1/iac/executions/${id}`)
      return team.owner.post(`/api/v1/iac/executions/${id}/approve`, { body: { digest: body.data.plan.digest } })
    },
    note: 'phaseStartedAt',
    spec: { command: 'plan', stack: 'late', source: { inline: { 'main.tf': 'output "a" { value = 1 }' } } },
    done: async ({ status }) => (status?.startedAt === undefined ? 0 : 1),
  },
]

async function waitingRun(): Promise<string> {
  const body = { workspace_id: team.workspace, config: 'output "a" { value = 1 }', approval: 'manual' }
  const id = await made(team.owner.post('/api/v1/iac/apply', { body }))
  await until(
    () => team.owner.get(`/api/v1/iac/executions/${id}`),
    (answer) => answer.body.data.phase === 'AwaitingApproval',
  )
  return id
}

/** Those that were ever made for the VM, terminated ones too. */
async function instancesOf(id: string): Promise<number> {
  const answer = await fetch(`${installation.simUrl}/instances?state=all`)
  const { instances } = (await answer.json()) as { instances: { tags: Record<string, string> }[] }
  return instances.filter(({ tags }) => tags[instanceTags.vmUID] === id).length
}

async function changeDefinition(plural: string, ...changes: readonly object[]): Promise<void> {
  const definition = `customresourcedefinition/${plural}.${group}`
  await installation.cluster.kubectl('patch', definition, '--type=json', '-p', JSON.stringify(changes))
}

async function stored(plural: string, id: string): Promise<Stored> {
  const { items } = JSON.parse(await installation.cluster.kubectl('get', `${plural}.${group}`, '-A', '-o', 'json'))
  return items.find(({ metadata }: Stored) => metadata.uid === id)
}

/** As the administrator, whom the API server only warns of a field that it does not know. Answers with what would be, or is, stored. */
async function patch(plural: string, object: Stored, body: object, ...more: readonly string[]): Promise<Stored> {
  const { name, namespace: place } = object.metadata
  const where = place === undefined ? [] : ['-n', place]
  const wanted = ['--type=merge', '-p', JSON.stringify(body), ...more]
  const { kubectl } = installation.cluster
  return JSON.parse(await kubectl('patch', `${plural}.${group}`, name, ...where, ...wanted, '-o', 'json'))
}

/** The object, once the controller has carried out all that its spec says. */
function carriedOut(plural: string, id: string, sinceGeneration = 0): Promise<Stored> {
  return vi.waitFor(async () => {
    const object = await stored(plural, id)
    const { metadata, status } = object
    expect(metadata.generation).toBeGreaterThan(sinceGeneration)
    expect(status?.observedGeneration).toBe(metadata.generation)
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
    return object
  }, patience)
}

describe('definitions that are newer than the programs', () => {
  it.for(rows)(
    'bring fields of $plural that are kept, in spec and status, whatever is done to the object',
    async (row) => {
      const { plural } = row
      const id = await row.make()
      await changeDefinition(
        plural,
        { op: 'add', path: `${schema}/spec/properties/futureWish`, value: { type: 'string' } },
        { op: 'add', path: `${schema}/status/properties/futureFact`, value: { type: 'string' } },
      )
      const object = await stored(plural, id)
      const marked = await vi.waitFor(async () => {
        await patch(plural, object, { spec: { futureWish: 'kept' } })
        await patch(plural, object, { status: { futureFact: 'kept' } }, '--subresource=status')
        const now = await stored(plural, id)
        expect([now.spec.futureWish, now.status?.futureFact]).toEqual(['kept', 'kept'])
        return now
      }, patience)

      expect((await row.change(id)).status).toBe(200)

      const { spec, status } = await carriedOut(plural, id, marked.metadata.generation)
      expect(spec).not.toEqual(marked.spec)
      expect([spec.futureWish, status?.futureFact]).toEqual(['kept', 'kept'])
    },
  )
})

describe('definitions that are older than the programs', () => {
  it.for(rows)(
    'make one of $plural wait for a note they do not know; with the right ones it is done once',
    async (row) => {
      const { plural, note } = row
      const path = `${schema}/status/properties/${note}`
      const { kubectl, kubectlWith } = installation.cluster
      const definition = await kubectl('get', `customresourcedefinition/${plural}.${group}`, '-o', 'json')
      const { kind } = JSON.parse(definition).spec.names
      const { status: known } = JSON.parse(definition).spec.versions[0].schema.openAPIV3Schema.properties
      const probe = await stored(plural, await row.make())
      expect(probe.status).toBeDefined()
      await changeDefinition(plural, { op: 'remove', path })
      const unknown = { status: { [note]: known.properties[note].type === 'array' ? [] : 'a' } }
      await vi.waitFor(async () => {
        const { status } = await patch(plural, probe, unknown, '--subresource=status', '--dry-run=server')
        expect(status).not.toHaveProperty(note)
      }, patience)

      const name = `late-${plural}`
      const { name: credential } = (await stored('credentials', team.credential)).metadata
      const spec = { ...row.spec, ...('credentialRef' in row.spec && { credentialRef: { name: credential } }) }
      if (plural === 'credentials') {
        const keys = Object.entries(simKeys).map(([key, value]) => `--from-literal=${key}=${value}`)
        await kubectl('create', 'secret', 'generic', 'late', '-n', namespace, ...keys)
      }
      const metadata = { name, ...(probe.metadata.namespace !== undefined && { namespace }) }
      const { metadata: given } = JSON.parse(
        await kubectlWith(stringify({ apiVersion, kind, metadata, spec }), 'create', '-f', '-', '-o', 'json'),
      )
      const told = () => installation.controller?.lines ?? []
      await vi.waitUntil(() => told().some((line) => line.includes('unknown field') && line.includes(name)), patience)
      expect((await row.done?.(await stored(plural, given.uid))) ?? 0).toBe(0)

      await changeDefinition(plural, { op: 'add', path, value: known.properties[note] })
      const object = await carriedOut(plural, given.uid)
      expect((await row.done?.(object)) ?? 1).toBe(1)
    },
  )
})
