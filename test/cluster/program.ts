/**
 * Runs one of our own programs as a process of its own, as the chart and `make dev` do, with its log lines in hand.
 *
 * Guarantees: gets the environment it is given and nothing of the test's own but PATH, HOME and Node's compile cache; gone with the test process
 * however that ends. `await using program = startProgram(…)` ends it with the test.
 */

import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describeExit, type Exit, startGuarded } from '../../tools/guarded-process.ts'
import { ownProgram } from '../../tools/own-program.ts'

export interface ProgramOptions {
  /** From the root of the checkout: `controller/main.ts`. */
  readonly main: string
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

/** A line of pino's, or whatever else it printed, as `{ msg }`. */
export interface LogRecord {
  readonly msg?: string
  readonly [field: string]: unknown
}

export interface Program extends AsyncDisposable {
  readonly pid: number
  /** Everything it has printed so far, in order. */
  readonly lines: readonly string[]
  readonly records: readonly LogRecord[]
  readonly exited: Promise<Exit>
  /** Resolves with the first record that matches, those printed before included. Throws with the last lines if it ends, or is silent, before. */
  logged(matches: (record: LogRecord) => boolean, timeoutMs?: number): Promise<LogRecord>
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL after `graceMs` (default 25,000: a little more than a drain may take). */
  stop(graceMs?: number): Promise<Exit>
}

const ROOT = join(import.meta.dirname, '../..')
const LAST_LINES = 30

export function startProgram({ main, env = {}, args = [] }: ProgramOptions): Program {
  const child = startGuarded({
    ...ownProgram({ root: ROOT, main, args, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } }),
  })
  const lines: string[] = []
  const records: LogRecord[] = []
  const listeners = new Set<() => void>()
  const notify = () => {
    for (const listener of listeners) listener()
  }
  let exit: Exit | undefined
  let openStreams = 0
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    openStreams += 1
    createInterface({ input: stream })
      .on('line', (line) => {
        lines.push(line)
        records.push(parseRecord(line))
        notify()
      })
      .once('close', () => {
        openStreams -= 1
        notify()
      })
  }
  const exited = child.exited.then((end) => {
    exit = end
    notify()
    return end
  })
  const lastWords = () => lines.slice(-LAST_LINES).join('\n')

  return {
    pid: child.pid,
    lines,
    records,
    exited,
    logged(matches, timeoutMs = 180_000) {
      return new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer)
          listeners.delete(look)
          finish()
        }
        const look = () => {
          const found = records.find(matches)
          if (found !== undefined) return settle(() => resolve(found))
          if (exit === undefined || openStreams > 0) return // its last lines may still come
          const how = describeExit(exit)
          settle(() =>
            reject(new Error(`${main} ended (${how}) before it logged what was waited for:\n${lastWords()}`)),
          )
        }
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${main} has not logged it in ${timeoutMs} ms:\n${lastWords()}`))),
          timeoutMs,
        )
        listeners.add(look)
        look()
      })
    },
    kill: (signal) => void child.kill(signal),
    stop: (graceMs = 25_000) => child.stop(graceMs),
    async [Symbol.asyncDispose]() {
      await child.stop(0)
    },
  }
}

function parseRecord(line: string): LogRecord {
  try {
    const record: unknown = JSON.parse(line)
    return typeof record === 'object' && record !== null ? (record as LogRecord) : { msg: line }
  } catch {
    return { msg: line }
  }
}
