/**
 * A long-running program with a log file, of which we know when it is ready and when it has ended.
 *
 * Guarantees: `start` resolves only once `ready` has; if the program ends first, or takes too long, it throws one error with the program's
 * last words and is not running. Ends with this process (see guarded-process.ts).
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeExit, type Exit, type GuardedProcess, startGuarded } from './guarded-process.ts'

export interface Service {
  readonly name: string
  readonly logFile: string
  pid(): number | undefined
  /** Starts it, or starts it again after it has ended, and waits until it is ready. When the signal comes first: ended, and `signal.reason` is thrown. */
  start(signal?: AbortSignal): Promise<void>
  /** SIGTERM, then SIGKILL after `graceMs`; 0 kills at once. Resolves when it has ended. */
  stop(graceMs?: number): Promise<void>
  /** Settles when the run that is under way has ended; at once when there is none. */
  ended(): Promise<Exit>
}

export interface ServiceOptions {
  readonly name: string
  readonly logFile: string
  /** Asked at each start, so that a restart may choose another port. */
  readonly command: () => ServiceCommand | Promise<ServiceCommand>
  /** Resolves true once the service answers; asked again every 50 ms while it says false or throws. */
  readonly ready: (signal: AbortSignal) => Promise<boolean>
  /** Default: 60,000. */
  readonly readyWithinMs?: number
}

export interface ServiceCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** The program ended, or was silent, before it was ready. */
export class ServiceStartError extends Error {
  /** What it had written to its log in this run. */
  readonly log: string
  constructor(name: string, how: string, log: string, logFile: string) {
    super(
      `${name} ${how} before it was ready; log: ${logFile}\n${log.trimEnd().split('\n').slice(-LAST_LINES).join('\n')}`,
    )
    this.log = log
  }
}

const LAST_LINES = 8
const POLL_MS = 50
const NEVER_RAN: Exit = { code: null, signal: null }

export function service(options: ServiceOptions): Service {
  const { name, logFile, command, ready, readyWithinMs = 60_000 } = options
  let running: GuardedProcess | undefined

  async function stop(graceMs?: number): Promise<void> {
    if (running?.exit() !== undefined) return
    await running?.stop(graceMs)
  }

  return {
    name,
    logFile,
    pid: () => (running?.exit() === undefined ? running?.pid : undefined),
    ended: () => running?.exited ?? Promise.resolve(NEVER_RAN),
    stop,
    async start(signal) {
      const log = openSync(logFile, 'a')
      const logStart = fstatSync(log).size
      try {
        running = startGuarded({ ...(await command()), output: log })
      } finally {
        closeSync(log)
      }
      const words = () => readFileSync(logFile).subarray(logStart).toString('utf8')
      const tooLate = AbortSignal.timeout(readyWithinMs)
      const enough = signal === undefined ? tooLate : AbortSignal.any([signal, tooLate])
      while (!(await ready(enough).catch(() => false))) {
        const exit = running.exit()
        if (exit !== undefined) throw new ServiceStartError(name, `ended (${describeExit(exit)})`, words(), logFile)
        if (enough.aborted) {
          await stop(0)
          signal?.throwIfAborted()
          throw new ServiceStartError(name, `said nothing for ${readyWithinMs / 1000} s`, words(), logFile)
        }
        await sleep(POLL_MS)
      }
    },
  }
}
