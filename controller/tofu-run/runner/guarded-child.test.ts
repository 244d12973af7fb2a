import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { usualLimits } from '../protocol.ts'
import { runChild } from './guarded-child.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guarded-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const environment = { PATH: process.env.PATH ?? '/usr/bin:/bin' }
const soon = { timeout: 10_000, interval: 20 }

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function pidIn(file: string): Promise<number> {
  return vi.waitFor(async () => {
    const pid = Number(await readFile(join(folder, file), 'utf8'))
    expect(pid).toBeGreaterThan(1)
    return pid
  }, soon)
}

function shell(
  script: string,
  rest: {
    stop?: AbortSignal
    kill?: AbortSignal
    firstGraceMs?: number
    secondGraceMs?: number
    processes?: number
  } = {},
) {
  let output = ''
  const ended = runChild({
    program: '/bin/sh',
    args: ['-c', script],
    cwd: folder,
    environment,
    outputFolder: join(folder, 'output'),
    onOutput: (text) => {
      output += text
    },
    stop: rest.stop ?? new AbortController().signal,
    ...(rest.kill && { kill: rest.kill }),
    limits: usualLimits,
    processes: rest.processes,
    firstGraceMs: rest.firstGraceMs ?? 60_000,
    secondGraceMs: rest.secondGraceMs ?? 60_000,
  })
  return ended.then((end) => ({ ...end, output }))
}

describe('runChild', () => {
  it('gives the exit code and all output, with nothing in the environment but what was given', async () => {
    const end = await shell('echo out; echo err >&2; env | grep -c SKYCLUST; exit 3')
    expect(end).toMatchObject({ code: 3, stopped: 0 })
    expect(end.output).toContain('out\n')
    expect(end.output).toContain('err\n')
    expect(end.output).toContain('0\n')
  })

  it('gives each process a bounded memory, and files a bounded size', async () => {
    expect((await shell('ulimit -d; ulimit -f')).output).toBe('2097152\n8388608\n')
  })

  it('holds the processes of a user that is nobody else to a number', async () => {
    expect((await shell('grep -o "^Max processes  *[0-9]*" /proc/self/limits', { processes: 900 })).output).toMatch(
      / 900$/m,
    )
  })

  it('leaves the processor to others', async () => {
    expect(Number((await shell('nice')).output)).toBeGreaterThanOrEqual(5)
  })

  it('kills at once, the whole group, when it is to be killed', async () => {
    const kill = new AbortController()
    const ended = shell("trap '' INT; echo $$ > program; sleep 600 & echo $! > child; wait", { kill: kill.signal })
    const child = await pidIn('child')
    kill.abort()
    expect(await ended).toMatchObject({ code: undefined, stopped: 3 })
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), soon)
  })

  it('says that a program is not there', async () => {
    const ended = runChild({
      program: '/no/such/program',
      args: [],
      cwd: folder,
      environment,
      outputFolder: join(folder, 'output'),
      onOutput: () => undefined,
      stop: new AbortController().signal,
      limits: usualLimits,
      firstGraceMs: 0,
      secondGraceMs: 0,
    })
    expect(await ended).toMatchObject({ code: 127 })
  })

  it('sends one SIGINT to the program alone, and lets it finish', async () => {
    const stop = new AbortController()
    const script =
      "sh -c 'trap \"echo child was hit\" INT; echo $$ > child; sleep 0.6; echo child done' & trap 'echo saving; wait; exit 7' INT; echo ready > ready; wait"
    const ended = shell(script, { stop: stop.signal })
    await pidIn('child')
    stop.abort()
    const end = await ended
    expect(end).toMatchObject({ code: 7, stopped: 1 })
    expect(end.output).toContain('saving')
    expect(end.output).toContain('child done')
    expect(end.output).not.toContain('child was hit')
  })

  it('sends a second SIGINT after the grace, and SIGKILL to the whole group after the next', async () => {
    const stop = new AbortController()
    const script = "trap 'echo hit' INT; echo $$ > program; sleep 600 & echo $! > child; while :; do sleep 0.05; done"
    const ended = shell(script, { stop: stop.signal, firstGraceMs: 300, secondGraceMs: 300 })
    const child = await pidIn('child')
    stop.abort()
    const end = await ended
    expect(end).toMatchObject({ code: undefined, stopped: 3 })
    expect(end.output.match(/hit/g)).toHaveLength(2)
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), soon)
  })

  it('ends what the program left behind', async () => {
    const end = await shell('sleep 600 & echo $! > child; exit 0')
    expect(end.code).toBe(0)
    const child = await pidIn('child')
    await vi.waitFor(() => expect(isAlive(child)).toBe(false), soon)
  })

  it('stops politely when the runner itself is killed', async () => {
    const runner = join(import.meta.dirname, 'guarded-child.ts')
    const script =
      "trap 'echo printed; echo saved > saved; exit 0' INT; echo $$ > program; while :; do sleep 0.05; done"
    const program = `
      import { runChild } from ${JSON.stringify(runner)}
      await runChild({ program: '/bin/sh', args: ['-c', ${JSON.stringify(script)}], cwd: ${JSON.stringify(folder)},
        environment: process.env, outputFolder: ${JSON.stringify(join(folder, 'output'))}, onOutput() {}, stop: new AbortController().signal, limits: { memoryBytes: 2 ** 31, diskBytes: 2 ** 32 }, firstGraceMs: 60000, secondGraceMs: 0 })`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })
    const pid = await pidIn('program')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), soon)
    expect(await readFile(join(folder, 'saved'), 'utf8')).toBe('saved\n')
  })
})
