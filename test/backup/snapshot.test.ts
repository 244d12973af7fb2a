/**
 * etcd is put back to a snapshot, with the commands of docs/backup.md, while the clouds have moved on: VMs were made, changed and deleted since, stacks
 * were applied. What that page says of each comes true: nothing is made twice, and nothing that is there is ended.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annotations, instanceTags } from '../../crds/names.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { vmKind } from '../../crds/vm.ts'
import { configMapType } from '../../kube/builtin-types.ts'
import { workshop } from '../../tools/workshop.ts'
import { root } from '../chart/helm.ts'
import { etcdShell, swapData } from '../cluster/etcd.ts'
import { conditionOf, eventually, image, type Room } from '../vm/room.ts'
import { openStage, type Stage } from '../vm/stage.ts'
import { stateByHand } from './state-by-hand.ts'

let stage: Stage
let room: Room
/** What the cloud had when the snapshot was put back, and how often an instance had been asked for. */
let recent: readonly Held[]
let launches: number
let newerState: string

interface Held {
  readonly id: string
  /** Its name. */
  readonly vm: string
}

/** Terminated ones left out. */
function held(): readonly Held[] {
  return stage.sim
    .instances({ state: 'live' })
    .map(({ id, tags }) => ({ id, vm: tags.Name ?? '' }))
    .toSorted((a, b) => a.vm.localeCompare(b.vm))
}

const idOf = (vm: string) => recent.find((one) => one.vm === vm)?.id

async function createPaused(name: string): Promise<void> {
  await stage.administrator.create(vmKind, {
    metadata: { namespace: room.namespace, name, annotations: { [annotations.paused]: 'true' } },
    spec: { provider: 'sim', credentialRef: { name: 'main' }, instanceType: 't3.micro', image },
  })
}

async function pause(name: string, value: 'true' | null): Promise<void> {
  const metadata = { annotations: { [annotations.paused]: value } }
  const vm = ['patch', 'vm', name, '-n', room.namespace, '--type=merge', '-p', JSON.stringify({ metadata })]
  await stage.cluster.kubectl(...vm)
}

async function commandOf(program: string): Promise<string> {
  const page = await readFile(join(root, 'docs/backup.md'), 'utf8')
  return new RegExp(`^\\$ (${program} snapshot .*)$`, 'm').exec(page)?.[1] ?? `the page has no ${program}`
}

/** The operator's program for states, on the stack `net`. */
function state(...args: readonly string[]): Promise<string> {
  return stateByHand({ cluster: stage.cluster, namespace: room.namespace, stack: 'net' }, ...args)
}

const resource = (name: string, more = '') => `resource "terraform_data" "${name}" {\n${more}\n}\n`
const waiting = `  provisioner "local-exec" {\n    command = "echo under way; exec sleep 600"\n  }`

async function run(name: string, spec: { readonly stack: string; readonly main: string; readonly command?: 'plan' }) {
  const { stack, main, command = 'apply' } = spec
  const source = { inline: { 'main.tf': main } }
  await stage.administrator.create(tofuRunKind, {
    metadata: runKey(name),
    spec: { command, stack, source },
  })
}

const runKey = (name: string) => ({ namespace: room.namespace, name })

function over(name: string): Promise<TofuRun> {
  return eventually(async () => {
    const found = await stage.administrator.get(tofuRunKind, runKey(name))
    expect(found.status?.completedAt).toBeDefined()
    return found
  })
}

async function outputOf(name: string): Promise<string> {
  const { items } = await stage.administrator.list(configMapType, {
    namespace: room.namespace,
    labelSelector: `skyclust.io/tofu-run=${name},skyclust.io/tofu-content=output-apply`,
  })
  return items.map(({ data }) => data?.output ?? '').join('')
}

/** A snapshot is taken, much happens, the snapshot is put back; and the operator deletes again what the page says. */
beforeAll(async () => {
  const tofu = await workshop({ environment: process.env, home: homedir() }).obtain('tofu')
  stage = await openStage({ env: { SKYCLUST_TOFU: tofu, SKYCLUST_SYNC_INTERVAL: '1s' } })
  room = await stage.room()
  for (const name of ['deleted', 'kept', 'stopped']) await room.create(name)
  await room.create('replaced', { replacePolicy: 'OnTermination' })
  for (const name of ['deleted', 'kept', 'replaced', 'stopped']) await room.untilReady(name)
  await createPaused('begun')
  await run('first', { stack: 'net', main: resource('one') })
  await over('first')
  await run('cut', { stack: 'cut', main: resource('slow', waiting) })
  await eventually(async () => expect(await outputOf('cut')).toContain('under way'))
  await etcdShell(stage.cluster, await commandOf('etcdctl'))

  await stage.administrator.patch(tofuRunKind, runKey('cut'), { spec: { cancel: true } }, { kind: 'merge' })
  await over('cut')
  await pause('begun', null)
  await room.create('late')
  await room.change('stopped', { powerState: 'Stopped' })
  for (const name of ['deleted', 'replaced']) await room.delete(name)
  for (const name of ['begun', 'late', 'stopped']) await room.untilReady(name)
  for (const name of ['deleted', 'replaced']) await room.untilGone(name)
  await run('second', { stack: 'net', main: resource('one') + resource('two') })
  await over('second')
  newerState = await state('export')
  recent = held()
  launches = stage.sim.calls.byAction.RunInstances.calls

  await stage.controller.stop()
  await etcdShell(stage.cluster, await commandOf('etcdutl'))
  await swapData(stage.cluster, 'etcd-restored')
  await stage.cluster.kubectl('delete', 'vm', 'replaced', '-n', room.namespace, '--wait=false')
  await stage.startController()
})
afterAll(() => stage?.[Symbol.asyncDispose]())

describe('etcd put back to an older snapshot', () => {
  it('leaves a VM alone that was there then and is there now', async () => {
    expect((await room.untilReady('kept')).status?.instanceID).toBe(idOf('kept'))
  })

  it('puts a VM back to its older spec', async () => {
    const vm = await room.until('stopped', ({ status }) => status?.state === 'running')
    expect(vm.status?.instanceID).toBe(idOf('stopped'))
  })

  it('finds the instance that was made since, and makes no second one', async () => {
    expect((await room.find('begun'))?.status?.instanceID).toBeUndefined()
    await pause('begun', null)
    expect((await room.untilReady('begun')).status?.instanceID).toBe(idOf('begun'))
  })

  it('reports the instance of a VM that it does not know, and lets it be taken over', async () => {
    await eventually(async () => {
      const events = await stage.cluster.kubectl('get', 'events', '-n', room.namespace)
      expect(events).toMatch(new RegExp(`OrphanFound.*${idOf('late')}`))
    })
    stage.sim.outside({ action: 'untag', ids: [String(idOf('late'))], keys: [instanceTags.vmUID] })
    await room.create('late', { adopt: { instanceID: String(idOf('late')) } })
    expect((await room.untilReady('late')).status?.instanceID).toBe(idOf('late'))
  })

  it('says of a VM that was deleted since that its instance is gone, and lets it be deleted again', async () => {
    await room.untilReason('deleted', 'InstanceGone')
    for (const name of ['deleted', 'replaced']) {
      if (name === 'deleted') await room.delete(name)
      await room.untilGone(name)
    }
  })

  it('does not start a run again that was applying, and frees its stack', async () => {
    const cut = await over('cut')
    expect(cut.status?.phase).toBe('Failed')
    expect(conditionOf(cut, 'Ready')?.reason).toBe('Interrupted')
    await run('next', { stack: 'cut', main: resource('slow'), command: 'plan' })
    expect((await over('next')).status?.phase).toBe('Completed')
  })

  it('has the older state of a stack, until a newer export is imported', async () => {
    const main = resource('one') + resource('two')
    await run('older', { stack: 'net', main, command: 'plan' })
    expect((await over('older')).status?.plan).toMatchObject({ add: 1, change: 0, destroy: 0 })

    await writeFile(join(stage.cluster.directory, 'newer.tfstate'), newerState)
    await state('import', '--file', join(stage.cluster.directory, 'newer.tfstate'))
    await run('newer', { stack: 'net', main, command: 'plan' })
    expect((await over('newer')).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })
  })

  it('has made no instance and ended none, when all is done', () => {
    expect(held().map(({ id }) => id)).toEqual(recent.map(({ id }) => id))
    expect(stage.sim.calls.byAction.RunInstances.calls).toBe(launches)
  })
})
