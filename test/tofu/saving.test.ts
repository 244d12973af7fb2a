/** How the state is saved when it cannot be: a server that refuses it, a full disk, answers that are lost, an apiserver that is away. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { getCondition } from '../../kube/conditions.ts'
import type { FaultProxy } from '../fault-proxy/fault-proxy.ts'
import type { Fault, Injection, Match } from '../fault-proxy/faults.ts'
import { type Workbench, workbench } from './workbench.ts'

let bench: Workbench
let runners: FaultProxy
let cluster: FaultProxy
const broken: Injection[] = []
beforeAll(async () => {
  bench = await workbench({ breakable: true, sandbox: false }) // what was made is counted in a file outside
  if (bench.lines === undefined) throw new Error('the lines cannot be broken')
  ;({ runners, cluster } = bench.lines)
})
afterEach(() => {
  for (const injection of broken.splice(0)) injection.remove()
})
afterAll(() => bench?.[Symbol.asyncDispose]())

/** What these runs ask the controller that matches meets the fault. */
function disturb(run: string, asked: string, fault: Fault, times?: number): void {
  broken.push(runners.inject(isAsked(run, asked), fault, times === undefined ? {} : { times }))
}

function isAsked(run: string, asked: string): Match {
  const [method, what] = asked.split(' ')
  return ({ method: its, path }) => its === method && path.includes(`/${run}/`) && path.endsWith(`/apply/${what}`)
}

const one = (command: string) => ({
  'main.tf': `resource "terraform_data" "one" {
  input = "made"
  provisioner "local-exec" {
    command = ${JSON.stringify(command)}
  }
}
output "one" { value = terraform_data.one.output }
`,
})

async function isFree(run: TofuRun): Promise<void> {
  const head = await bench.tofuRuns.states.head(await bench.tofuRuns.stackOf(run))
  expect(head.holder).toBeUndefined()
  expect(head.lock).toBeUndefined()
}

describe('a state that tofu cannot upload', () => {
  it('is taken from errored.tfstate, the run says so, and the next run finds what was made', async () => {
    disturb('refused', 'POST state', { answer: 400 })
    await bench.run('refused', { command: 'apply', stack: 'refused', source: { inline: one('true') } })
    const run = await bench.over('refused')
    expect(run.status).toMatchObject({
      phase: 'Failed',
      error: expect.stringMatching(/Failed to save state[\s\S]*The state that tofu could not upload was saved\./),
    })
    expect((await bench.state(run))?.resources).toHaveLength(1)
    await isFree(run)

    await bench.run('after-refused', { stack: 'refused', source: { inline: one('true') } })
    expect((await bench.over('after-refused')).status?.plan).toMatchObject({ add: 0, change: 0, destroy: 0 })
  })

  it('is taken from what tofu prints when it cannot write that file either, and is not seen in the output', async () => {
    disturb('full', 'POST state', { answer: 400 })
    const source = { inline: one('mkdir errored.tfstate') }
    await bench.run('full', { command: 'apply', stack: 'full', source })
    const run = await bench.over('full')
    expect(run.status?.error).toContain('The state that tofu could not upload was saved.')
    expect((await bench.state(run))?.resources).toHaveLength(1)
    const output = await bench.output('full', 'apply')
    expect(output).toContain('is kept out of the output and saved')
    expect(output).not.toContain('lineage')
    await isFree(run)
  })

  it('is found by the controller when the runner was killed before it could hand it over', async () => {
    disturb('left', 'POST state', { answer: 400 })
    disturb('left', 'PUT errored', { answer: 503 })
    await bench.run('left', { command: 'apply', stack: 'left', source: { inline: one('true') } })
    await runners.arrived(isAsked('left', 'PUT errored'), { timeoutMs: 180_000 })
    const { uid } = (await bench.until('left', () => true)).metadata
    const mark = await readFile(join(bench.folder, 'runs', uid, 'apply.json'), 'utf8')
    process.kill(JSON.parse(mark).pid, 'SIGKILL')
    const run = await bench.over('left')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toContain('The state that tofu could not upload was saved.')
    expect((await bench.state(run))?.resources).toHaveLength(1)
    await isFree(run)
  })
})

describe('a disk on which no file can be made', () => {
  it('keeps no result from being reported: what was applied is Completed', async () => {
    await bench.run('no-file', { command: 'apply', stack: 'no-file', source: { inline: one('mkdir ../result.json') } })
    const run = await bench.over('no-file')
    expect(run.status).toMatchObject({ phase: 'Completed', outputs: { one: 'made' } })
    await isFree(run)
  })
})

describe('a line that loses answers', () => {
  it('makes nothing happen twice: each question may be asked again', async () => {
    for (const asked of [
      'POST begin',
      'GET bundle',
      'GET plan',
      'LOCK state',
      'POST state',
      'UNLOCK state',
      'POST result',
    ]) {
      disturb('lossy', asked, { reset: 'after' }, 1)
    }
    const made = join(bench.folder, 'lossy')
    const source = { inline: one(`echo made >> ${made}`) }
    await bench.run('lossy', { command: 'apply', stack: 'lossy', source })
    const run = await bench.over('lossy', 90_000)
    expect(run.status).toMatchObject({ phase: 'Completed', outputs: { one: 'made' } })
    expect(await readFile(made, 'utf8')).toBe('made\n')
    await isFree(run)
  })
})

describe('an apiserver that is away', () => {
  it('for half a minute in the middle of an apply is waited for: the state arrives, once', async () => {
    const made = join(bench.folder, 'away')
    const source = { inline: one(`echo made >> ${made}; echo up; sleep 3`) }
    await bench.run('away', { command: 'apply', stack: 'away', source })
    await expect.poll(() => bench.output('away', 'apply')).toContain('up')
    await cluster.down()
    await runners.arrived(isAsked('away', 'GET state'), { count: 3 }) // before it writes, tofu reads once more
    await new Promise((resolve) => setTimeout(resolve, 25_000)) // that long is what is tried here
    await cluster.up()
    const run = await bench.over('away', 90_000)
    expect(run.status).toMatchObject({ phase: 'Completed', outputs: { one: 'made' } })
    expect(await readFile(made, 'utf8')).toBe('made\n')
    await isFree(run)
  })
})
