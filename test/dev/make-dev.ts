/**
 * Runs the real `make dev`: in a fresh clone of this checkout, as a newcomer does, or in this checkout as it is.
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
    makeDev: (environment = {}) => makeDev({ checkout: directory, state: join(directory, '.dev'), environment }),
    running: () => runningProcesses().flatMap(({ command }) => (command.includes(directory) ? [command] : [])),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

/**
 * `make dev` of this checkout, uncommitted changes included, with its state in a folder of its own. The packages are those that
 * this test runs with (`-o`), or a lockfile that was touched would have them replaced under it.
 */
export function makeDevHere(state: string, environment: Readonly<Record<string, string>>): MakeDev {
  const args = ['-o', 'dependencies']
  return makeDev({ checkout: root, state, args, environment: { ...environment, SKYCLUST_DEV_DIR: state } })
}

/** `.dev/env` as a script reads it. */
export function readEnvironment(state: string): Record<string, string> {
  const lines = readFileSync(join(state, 'env'), 'utf8').trimEnd().split('\n')
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

interface MakeDevOptions {
  readonly checkout: string
  /** Where it keeps its state. */
  readonly state: string
  /** Of make, beside `dev`. */
  readonly args?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

function makeDev({ checkout, state, args = [], environment }: MakeDevOptions): MakeDev {
  const make = startGuarded({
    command: 'make',
    args: [...args, 'dev'],
    cwd: checkout,
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
      while (!output.includes('SkyClust is up') || !existsSync(join(state, 'env'))) {
        const exit = make.exit()
        if (exit !== undefined) throw new Error(`make dev ended (${describeExit(exit)}):\n${output}`)
        await sleep(50)
      }
      return readEnvironment(state)
    },
  }
}
