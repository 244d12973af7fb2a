/**
 * docs/versions.md, "From v1alpha1 to v1beta1", done with objects of every kind under the running programs of today, which speak v1alpha1: the commands
 * are taken out of that page, and etcd itself says what is stored.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { kinds } from '../../crds/kinds.ts'
import { group, version } from '../../crds/names.ts'
import { workshop } from '../../tools/workshop.ts'
import { storedObjects } from '../cluster/etcd.ts'
import { type Installation, startInstallation } from '../contract/installation.ts'
import { until } from '../contract/rest.ts'
import { made, makeTeam, type Team } from '../contract/rows/team.ts'
import { define } from './definitions.ts'

const next = 'v1beta1'
const stored = { served: true, storage: true }
const served = { served: true, storage: false }
const patience = { timeout: 180_000, interval: 500 }
const everyKind = kinds.map(({ kind }) => kind).sort()

let installation: Installation
let team: Team
let vm: string

beforeAll(async () => {
  installation = await startInstallation({ controllerEnv: { SKYCLUST_SYNC_INTERVAL: '1s' } })
  team = await makeTeam(installation)
  vm = await runningVm(team)
  await completedRun(team)
  await made(
    team.owner.post(estimates, { body: { instance_type: 't3.micro', region: 'us-east-1', duration_hours: 1 } }),
  )
  await calm()
})
afterAll(() => installation?.[Symbol.asyncDispose]())

const estimates = '/api/v1/providers/aws/cost-estimates'

async function runningVm({ owner, makeVm }: Team): Promise<string> {
  const id = await made(makeVm())
  await becomes(owner, `/api/v1/vms/${id}`, 'running')
  return id
}

async function completedRun({ owner, workspace }: Team): Promise<void> {
  const body = { workspace_id: workspace, config: 'output "a" { value = 1 }' }
  const id = await made(owner.post('/api/v1/iac/apply', { body }))
  await becomes(owner, `/api/v1/iac/executions/${id}`, 'completed')
}

async function becomes(owner: Team['owner'], path: string, status: string): Promise<void> {
  await until(
    () => owner.get(path),
    ({ body }) => body?.data?.status === status,
  )
}

interface Served {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion: string }
}

/** All objects there are, as that version shows them, in order. */
async function shown(as: string): Promise<readonly Served[]> {
  const names = kinds.map(({ plural }) => `${plural}.${as}.${group}`).join(',')
  const { items } = JSON.parse(
    await installation.cluster.kubectl('get', names, '-A', '-o', 'json', '--show-managed-fields'),
  )
  const key = ({ kind, metadata }: Served) => `${kind} ${metadata.namespace} ${metadata.name}`
  return items.toSorted((a: Served, b: Served) => key(a).localeCompare(key(b)))
}

/** What is not the version's nor the write's. */
const contents = (objects: readonly Served[]) =>
  objects.map(({ apiVersion: _, metadata: { resourceVersion: __, ...metadata }, ...rest }) => ({ ...rest, metadata }))

/** Until nobody has written anything for some while. */
async function calm(): Promise<void> {
  let before: unknown
  const same = async () => {
    const now = await shown(version)
    const isSame = JSON.stringify(before) === JSON.stringify(now)
    before = now
    return isSame
  }
  await vi.waitUntil(same, { ...patience, interval: 2_000 })
}

/** `VM v1alpha1`, each once. */
async function versionsInEtcd(): Promise<readonly string[]> {
  const objects = await storedObjects(installation.cluster, group)
  return [...new Set(objects.map(({ kind, apiVersion }) => `${kind} ${apiVersion.replace(`${group}/`, '')}`))].sort()
}

async function storedVersions(): Promise<readonly (readonly string[])[]> {
  const { items } = JSON.parse(await installation.cluster.kubectl('get', 'crds', '-o', 'json'))
  return items.map(({ status }: { status: { storedVersions: string[] } }) => status.storedVersions)
}

/** The commands of the page, each as it stands there: what names the kinds, what writes them again, what says so. */
async function documentedCommands(): Promise<readonly [naming: string, rewriting: string, saying: string]> {
  const page = await readFile(join(import.meta.dirname, '../../docs/versions.md'), 'utf8')
  const [, block = ''] = /^ *```console\n(.*?)^ *```$/ms.exec(page) ?? []
  const commands = [...block.matchAll(/^ *\$ (.*)$/gm)].map(([, command = '']) => command)
  const [naming = '', rewriting = '', saying = ''] = commands
  expect(commands).toEqual([naming, rewriting, saying])
  return [naming, rewriting, saying]
}

async function shell(...commands: readonly string[]): Promise<void> {
  const kubectl = await workshop({ environment: process.env, home: homedir() }).obtain('kubectl')
  const { kubeconfig, directory } = installation.cluster
  const env = { PATH: `${dirname(kubectl)}:${process.env.PATH}`, HOME: directory, KUBECONFIG: kubeconfig }
  await promisify(execFile)('bash', ['--norc', '-c', commands.join('\n')], { env })
}

/** How many calls that change something the cloud has had. */
async function mutations(): Promise<number> {
  return ((await (await fetch(`${installation.simUrl}/calls`)).json()) as { readonly mutations: number }).mutations
}

describe('from v1alpha1 to v1beta1', () => {
  it('shows every object in both versions once the second is served, and stores none anew', async () => {
    await define(installation.cluster, { name: next, ...served }, { name: version, ...stored })

    await vi.waitFor(async () => expect(contents(await shown(next))).toEqual(contents(await shown(version))), patience)
    expect([...new Set((await shown(next)).map(({ kind }) => kind))].sort()).toEqual(everyKind)
    expect(await versionsInEtcd()).toEqual(everyKind.map((kind) => `${kind} ${version}`))
  })

  it('takes a write in between for what it is: the object is in the new version already', async () => {
    const { cluster } = installation
    await define(cluster, { name: next, ...stored }, { name: version, ...served })
    const list = await cluster.kubectl('get', `users.${group}`, '-o', 'json')
    const [{ metadata }] = JSON.parse(list).items
    await vi.waitFor(async () => {
      const note = `example.com/at=${crypto.randomUUID()}`
      await cluster.kubectl('annotate', `users.${group}`, metadata.name, note, '--overwrite')
      const written = (await storedObjects(cluster, group)).find(({ metadata: { uid } }) => uid === metadata.uid)
      expect(written?.apiVersion).toBe(`${group}/${next}`)
    }, patience)

    await expect(cluster.kubectlWith(list, 'replace', '-f', '-')).rejects.toThrow(/Conflict.*has been modified/s)

    expect(await versionsInEtcd()).not.toContain(`User ${version}`)
    expect(await versionsInEtcd()).toContain(`VM ${version}`)
  })

  it('does not let the old version leave the definitions while it may be stored', async () => {
    await expect(define(installation.cluster, { name: next, ...stored })).rejects.toThrow(/storedVersions.*v1alpha1/s)
  })

  it('writes again what the commands of the page say, changes nothing in it, and wakes nobody', async () => {
    const before = await shown(version)
    const mutated = await mutations()
    const [naming, rewriting, saying] = await documentedCommands()

    await vi.waitFor(async () => {
      await shell(naming, rewriting)
      expect(await versionsInEtcd()).toEqual(everyKind.map((kind) => `${kind} ${next}`))
    }, patience)
    const after = await shown(version)
    await shell(naming, saying)

    expect(contents(after)).toEqual(contents(before))
    expect(await storedVersions()).toEqual(kinds.map(() => [next]))
    expect(await mutations()).toEqual(mutated)
    // Whoever was woken has had its turn once newcomers have had theirs.
    const newcomers = await makeTeam(installation, 'Lee')
    await runningVm(newcomers)
    await completedRun(newcomers)
    const names = new Set(after.map(({ metadata }) => metadata.name))
    expect((await shown(version)).filter(({ metadata }) => names.has(metadata.name))).toEqual(after)
  })

  it('stores what is made and changed from then on in the new version, by programs that speak the old one', async () => {
    await team.owner.post(`/api/v1/vms/${vm}/stop`)
    await becomes(team.owner, `/api/v1/vms/${vm}`, 'stopped')
    expect(await versionsInEtcd()).toEqual(everyKind.map((kind) => `${kind} ${next}`))
  })

  it('harms nothing when the old version is no longer served, and goes on when it is again', async () => {
    await team.owner.post(`/api/v1/vms/${vm}/start`)
    await becomes(team.owner, `/api/v1/vms/${vm}`, 'running')
    const before = contents(await shown(next))
    const mutated = await mutations()

    await define(installation.cluster, { name: next, ...stored }, { name: version, served: false, storage: false })
    const late = await installation.startFacade().catch((error: Error) => error.message)
    expect(late).toContain(`it serves ${group}/${next} and no longer ${group}/${version}`)
    expect(contents(await shown(next))).toEqual(before)
    expect(await mutations()).toEqual(mutated)

    await define(installation.cluster, { name: next, ...stored }, { name: version, ...served, deprecated: true })
    await until(
      () => team.owner.post(`/api/v1/vms/${vm}/stop`),
      ({ status }) => status === 200,
    )
    await becomes(team.owner, `/api/v1/vms/${vm}`, 'stopped')
  })

  it('goes back: with the old version stored again, the same commands move everything back', async () => {
    await define(installation.cluster, { name: next, ...served }, { name: version, ...stored })
    const [naming, rewriting] = await documentedCommands()
    await vi.waitFor(async () => {
      await shell(naming, rewriting)
      expect(await versionsInEtcd()).toEqual(everyKind.map((kind) => `${kind} ${version}`))
    }, patience)
  })
})
