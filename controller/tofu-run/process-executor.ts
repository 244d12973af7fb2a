/**
 * The executor of `make dev`: the runner is a child process in a session of its own, which goes on when the controller is killed and
 * is found again by its pid, start time and boot.
 *
 * Guarantees: a runner is started once for each phase that it knows of; what it left is found after a restart; nothing of it is alive or
 * on the disk after `clean`. `close` lets them finish for half of its time, then has them stop politely, and ends what is left: nothing
 * may outlive `make dev`.
 *
 * Caveats: without a sandbox it isolates nothing, the configuration runs as this user; one controller, on one machine.
 *
 *     <root>/<uid>/<phase>.json     which process
 *     <root>/<uid>/<phase>.log      what the runner itself had to say
 *     <root>/<uid>/work             where it works; a result and a state that it could not deliver stay here
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Executor, Observation, RunnerAddress } from './executor.ts'
import { groupLives, killGroup, lives, markOf, type ProcessMark } from './process-mark.ts'
import { phaseResult } from './protocol.ts'
import { removeFolder } from './remove-folder.ts'
import { erroredState } from './runner/errored-state.ts'
import { type RunPhase, runPhases } from './state/stack-head.ts'

export interface ProcessExecutorOptions {
  /** Where runs have their folders. */
  readonly root: string
  readonly address: (run: TofuRun, phase: RunPhase) => Promise<RunnerAddress>
  /** Where tofu and its providers are: SKYCLUST_TOFU and its kin, PATH, proxies. */
  readonly environment: Readonly<Record<string, string>>
  /** Whether tofu gets a sandbox; see `process-isolation.ts`. */
  readonly sandbox: boolean
  /** A runner has ended. */
  readonly onEnd: (run: TofuRun) => void
}

const runnerMain = join(import.meta.dirname, 'runner', 'main.ts')

export function processExecutor(options: ProcessExecutorOptions): Executor {
  const { root, address, environment, sandbox, onEnd } = options
  const children = new Map<ChildProcess, string>()
  let closing = false
  const folderOf = (run: TofuRun) => join(root, run.metadata.uid)
  const workOf = (run: TofuRun) => join(folderOf(run), 'work')
  const markFile = (run: TofuRun, phase: RunPhase) => join(folderOf(run), `${phase}.json`)

  async function markFor(run: TofuRun, phase: RunPhase): Promise<ProcessMark | undefined> {
    return parsed<ProcessMark>(await readFile(markFile(run, phase), 'utf8').catch(() => ''))
  }

  /** tofu in its own group, as the runner noted it: it may outlive its runner for as long as it saves the state. */
  async function childMark(run: TofuRun): Promise<ProcessMark | undefined> {
    return parsed<ProcessMark>(await readFile(join(workOf(run), 'child.json'), 'utf8').catch(() => ''))
  }

  async function observe(run: TofuRun, phase: RunPhase): Promise<Observation> {
    const mark = await markFor(run, phase)
    if (mark === undefined) return { kind: 'absent' }
    if (await lives(mark)) return { kind: 'running' }
    const child = await childMark(run)
    if (child !== undefined && (await groupLives(child)))
      return { kind: 'running', message: 'tofu is saving the state.' }
    const left = parsed(await readFile(join(workOf(run), 'result.json'), 'utf8').catch(() => ''))
    const result = phaseResult.safeParse(left)
    if (result.success) return { kind: 'finished', result: result.data }
    const log = await readFile(join(folderOf(run), `${phase}.log`), 'utf8').catch(() => '')
    const words = log.trim().split('\n').at(-1) ?? ''
    return {
      kind: 'gone',
      message: words === '' ? 'The process of the runner was killed.' : `The runner ended: ${words}.`,
    }
  }

  async function kill(run: TofuRun, phase: RunPhase): Promise<void> {
    const [runner, child] = [await markFor(run, phase), await childMark(run)]
    if (runner !== undefined && (await lives(runner))) killGroup(runner.pid)
    if (child !== undefined && (await groupLives(child))) killGroup(child.pid)
  }

  return {
    observe,
    kill,

    async start(run, phase) {
      if (closing) throw new Error('this controller is stopping: the next one starts the runner')
      if ((await observe(run, phase)).kind !== 'absent') return
      const { url, token } = await address(run, phase)
      await removeFolder(workOf(run))
      await mkdir(folderOf(run), { recursive: true, mode: 0o700 })
      const log = await open(join(folderOf(run), `${phase}.log`), 'w', 0o600)
      const child = spawn(process.execPath, [runnerMain], {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: {
          ...environment,
          ...(sandbox && { SKYCLUST_TOFU_SANDBOX: 'on' }),
          SKYCLUST_RUN_URL: url,
          SKYCLUST_RUN_TOKEN: token,
          SKYCLUST_WORK_DIR: workOf(run),
          SKYCLUST_RUN_MARK: markFile(run, phase),
          NODE_COMPILE_CACHE: join(root, 'compile-cache'), // the runner starts in a third less time
        },
      })
      await log.close()
      if (child.pid === undefined) throw new Error('the runner could not be started')
      children.set(child, run.metadata.uid)
      child.once('exit', () => {
        children.delete(child)
        onEnd(run)
      })
      child.unref()
      await writeFile(markFile(run, phase), JSON.stringify(await markOf(child.pid)), { mode: 0o600 })
    },

    leftState: (run) => erroredState(join(workOf(run), 'config')),

    async clean(run) {
      for (const phase of runPhases) await kill(run, phase)
      await removeFolder(folderOf(run))
    },

    async close(graceMs) {
      closing = true
      const ended = Promise.all([...children.keys()].map((child) => once(child, 'exit')))
      await within(ended, graceMs / 2)
      for (const child of children.keys()) child.kill('SIGTERM')
      await within(ended, graceMs / 2)
      for (const [child, uid] of children) {
        const mark = parsed<ProcessMark>(await readFile(join(root, uid, 'work', 'child.json'), 'utf8').catch(() => ''))
        if (mark !== undefined && (await groupLives(mark))) killGroup(mark.pid)
        child.kill('SIGKILL')
      }
    },
  }
}

/** Resolves after that time at the latest. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}
