/** What becomes of a run when something is killed: the controller, the runner, tofu. Real processes, real SIGKILLs. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { TofuRun } from '../../crds/tofu-run.ts'
import { getCondition } from '../../kube/conditions.ts'
import { freePort } from '../../tools/free-port.ts'
import type { ProgramOptions } from './controller-program.ts'
import { type Workbench, workbench } from './workbench.ts'

/** A resource that takes a while, writes a line each time it is made, and one that comes after it. */
const slow = (file: string) => ({
  'main.tf': `
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo made >> ${file}; sleep 2"
  }
}
resource "terraform_data" "after" {
  depends_on = [terraform_data.slow]
}
`,
})

const soon = { timeout: 180_000, interval: 50 }
let bench: Workbench
let port = 0
let controller: ChildProcess | undefined

beforeAll(async () => {
  bench = await workbench({ sandbox: false }) // what was made is counted in a file outside
  await bench.stop()
  port = await freePort()
})
afterEach(async () => {
  if (controller?.exitCode === null && controller.signalCode === null) await killed(controller)
})
afterAll(async () => {
  await bench?.start()
  await bench?.[Symbol.asyncDispose]()
})

async function start(): Promise<ChildProcess> {
  const { namespace, installation, folder, tofu, kubeconfig } = bench
  const options: ProgramOptions = { kubeconfig, namespace, installation, folder, tofu, port, sandbox: false }
  const program = join(import.meta.dirname, 'controller-program.ts')
  controller = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(controller.stdout as NodeJS.ReadableStream, 'data')
  return controller
}

async function killed(process: ChildProcess): Promise<void> {
  process.kill('SIGKILL')
  await once(process, 'exit')
}

async function runNow(name: string): Promise<TofuRun> {
  return JSON.parse(await bench.cluster.kubectl('get', 'tofurun', name, '-n', bench.namespace, '-o', 'json'))
}

async function phase(name: string): Promise<string | undefined> {
  return (await runNow(name)).status?.phase
}

async function ended(name: string): Promise<TofuRun> {
  await expect.poll(async () => (await runNow(name)).status?.completedAt, soon).toBeDefined()
  return runNow(name)
}

async function linesIn(file: string): Promise<number> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').length - 1
}

async function pidOf(run: TofuRun, mark: string): Promise<number> {
  const file = join(bench.folder, 'runs', run.metadata.uid, mark)
  return JSON.parse(await readFile(file, 'utf8')).pid
}

async function isFree(run: TofuRun): Promise<void> {
  const { states, stackOf } = bench.tofuRuns
  const head = await states.head(await stackOf(run))
  expect(head.holder).toBeUndefined()
  expect(head.lock).toBeUndefined()
}

describe('a controller that is killed', () => {
  it.each(['Planning', 'Applying'])(
    'while a run is %s and started again finds the run and brings it to its end, once',
    async (when) => {
      const name = `killed-${when.toLowerCase()}`
      const made = join(bench.folder, name)
      const first = await start()
      await bench.run(name, { command: 'apply', stack: name, source: { inline: slow(made) } })
      await expect.poll(() => phase(name), soon).toBe(when)
      await killed(first)
      await start()
      const run = await ended(name)
      expect(run.status).toMatchObject({ phase: 'Completed' })
      expect(await linesIn(made)).toBe(1)
      expect((await bench.state(run))?.resources).toHaveLength(2)
      await isFree(run)
    },
  )

  it('again and again, at any moment, neither loses a run nor makes anything twice', async () => {
    const made = join(bench.folder, 'storm')
    let current = await start()
    await bench.run('storm', { command: 'apply', stack: 'storm', source: { inline: slow(made) } })
    for (let kills = 0; kills < 12 && (await runNow('storm')).status?.completedAt === undefined; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 60 + kills * 40))
      await killed(current)
      current = await start()
    }
    const run = await ended('storm')
    expect(run.status?.phase).toBe('Completed')
    expect(await linesIn(made)).toBe(1)
    await isFree(run)
  })
})

describe('a runner that is killed', () => {
  it('while applying makes the run Failed with the reason Interrupted, what was made is in the state, and nothing is started again', async () => {
    const made = join(bench.folder, 'lost-runner')
    await start()
    await bench.run('lost-runner', { command: 'apply', stack: 'lost', source: { inline: slow(made) } })
    await expect.poll(() => linesIn(made), soon).toBe(1)
    process.kill(await pidOf(await runNow('lost-runner'), 'apply.json'), 'SIGKILL')
    const run = await ended('lost-runner')
    expect(run.status?.phase).toBe('Failed')
    expect(getCondition(run.status?.conditions, 'Ready')?.reason).toBe('Interrupted')
    expect(run.status?.error).toContain('never started again')
    expect(await linesIn(made)).toBe(1)
    expect((await bench.state(run))?.resources).toHaveLength(1)
    await isFree(run)
  })

  it('is no different when tofu itself is killed: the run says what may exist, and the stack is free', async () => {
    const made = join(bench.folder, 'lost-tofu')
    await start()
    await bench.run('lost-tofu', { command: 'apply', stack: 'lost-tofu', source: { inline: slow(made) } })
    await expect.poll(() => linesIn(made), soon).toBe(1)
    process.kill(await pidOf(await runNow('lost-tofu'), 'work/child.json'), 'SIGKILL')
    const run = await ended('lost-tofu')
    expect(run.status).toMatchObject({ phase: 'Failed', error: expect.stringContaining('Resources may exist') })
    await isFree(run)
  })
})
