/**
 * Starts a service again when it has ended on its own, as a Deployment would.
 *
 * Guarantees: says so in one line each time; waits longer after each failure (0.5 s, doubled, 10 s at most; from the start again after a
 * minute of running); resolves soon after the signal, and leaves a running service to whoever gave it.
 */
import { setTimeout as sleepMs } from 'node:timers/promises'
import { describeExit } from '../guarded-process.ts'
import type { Service } from '../service.ts'

export interface SuperviseOptions {
  readonly service: Service
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  /** The service is up again, with another pid. */
  readonly onRestart: () => Promise<void>
  readonly now?: () => number
  /** Resolves after that many milliseconds, or when the signal comes; a test passes its own. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 10_000
const STEADY_MS = 60_000

/** Assumes that the service is running. */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { service, signal, say, onRestart, now = () => performance.now(), sleep = sleepUnlessAborted } = options
  let delayMs = FIRST_DELAY_MS
  let startedAt = now()
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  while (!signal.aborted) {
    const exit = await Promise.race([service.ended(), aborted])
    if (exit === undefined || signal.aborted) return
    if (now() - startedAt > STEADY_MS) delayMs = FIRST_DELAY_MS
    say(
      `${service.name} ended (${describeExit(exit)}); starting it again in ${delayMs / 1000} s; its log: ${service.logFile}`,
    )
    await sleep(delayMs, signal)
    if (signal.aborted) return
    delayMs = Math.min(LONGEST_DELAY_MS, delayMs * 2)
    startedAt = now()
    try {
      await service.start(signal)
    } catch (error) {
      if (!signal.aborted) say((error as Error).message)
      continue
    }
    say(`${service.name} runs again, pid ${service.pid()}`)
    await onRestart()
  }
}

async function sleepUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  await sleepMs(ms, undefined, { signal }).catch(() => undefined)
}
