/**
 * Runs the real `make dev` in a fresh clone of this checkout, as a newcomer does.
 *
 * Guarantees: the clone is in a temporary folder and has what is committed, no more; `make dev` and all it started end with the test process.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runningProcesses } from '../../tools/fixtures/running-processes.ts'
import { describeExit, type Exit, startGuarded } from '../../tools/guarded-process.ts'

export interface Clone extends AsyncDisposable {
  readonly directory: string
  /** Starts `make dev`; `up` resolves when it says that all is up. */
  makeDev(environment?: Readonly<Record<string, string>>): MakeDev
  /** What of this clone runs: everything that names its folder. */
  running(): string[]
}

/** Ended at once with `await using`. */
export interface MakeDev extends AsyncDisposable {
  /** Resolves with the promised `.dev/env`. Throws with what was printed when it ends before. */
  up(): Promise<Record<string, string>>
  /** All that it has printed. */
  output(): string
  /** To the whole process group, as the terminal does at Ctrl-C. */
  controlC(): void
  /** To make alone. */
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<Exit>
}

const root = join(import.meta.dirname, '../..')

export async function freshClone(): Promise<Clone> {
  const directory = await mkdtemp(join(tmpdir(), 'skyclust-clone-'))
  const cloned = spawnSync('git', ['clone', '--quiet', '--depth=1', `file://${root}`, directory], { encoding: 'utf8' })
  if (cloned.status !== 0) throw new Error(`git clone: ${cloned.stderr}`)
  return {
    directory,
    makeDev: (environment = {}) => makeDev(directory, environment),
    running: () => runningProcesses().flatMap(({ command }) => (command.includes(directory) ? [command] : [])),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

/** `.dev/env` as a script reads it. */
export function readEnvironment(directory: string): Record<string, string> {
  const lines = readFileSync(join(directory, '.dev/env'), 'utf8').trimEnd().split('\n')
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
}

/** This process's own, without what vitest, an outer make or a person's use of SkyClust put into it. */
function ordinaryEnvironment(): NodeJS.ProcessEnv {
  const kept = ['SKYCLUST_TOFU']
  const ours = /^(SKYCLUST_|AWS_|KUBECONFIG$|VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|MAKE)/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.includes(name) || !ours.test(name)))
}

function makeDev(directory: string, environment: Readonly<Record<string, string>>): MakeDev {
  const make = startGuarded({
    command: 'make',
    args: ['dev'],
    cwd: directory,
    env: { ...ordinaryEnvironment(), ...environment },
  })
  let output = ''
  for (const stream of [make.stdout, make.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk
    })
  }
  return {
    exited: make.exited,
    output: () => output,
    controlC: () => process.kill(-make.pid, 'SIGINT'),
    kill: (signal) => void make.kill(signal),
    async [Symbol.asyncDispose]() {
      await make.stop(0)
    },
    async up() {
      while (!output.includes('SkyClust is up') || !existsSync(join(directory, '.dev/env'))) {
        const exit = make.exit()
        if (exit !== undefined) throw new Error(`make dev ended (${describeExit(exit)}):\n${output}`)
        await sleep(50)
      }
      return readEnvironment(directory)
    },
  }
}
