/**
 * Notices that a server which was lost is back, so that those who wait out a long backoff need not wait for its end.
 *
 * Guarantees: while anybody waits the server is asked, by one small request on behalf of all, once every two seconds or
 * so; while nobody waits it is not asked at all. Only a change counts: whoever waits on a server that answers all the
 * while, and fails for reasons of their own, is never woken. So each wake costs an outage, and nothing can spin.
 *
 * Why: a reflector that lost its server backs off to half a minute and more, as client-go's does, so that a server that is
 * unwell is not crushed by LISTs (https://github.com/kubernetes/kubernetes/issues/87794), and a server that is well again is
 * left alone for as long. One `/readyz` for all reflectors is no burden, and whom it wakes comes back spread over a second.
 */
import { type Clock, sleep } from './clock.ts'
import type { Transport } from './transport.ts'

export interface Recovery {
  /** Resolves once the server was seen not to answer and then to answer again; rejects with `signal.reason`. */
  recovered(signal: AbortSignal): Promise<void>
}

export interface RecoveryOptions {
  readonly http: Pick<Transport, 'raw'>
  readonly clock: Clock
  readonly random: () => number
}

const EVERY_MS = 2_000
const ANSWER_WITHIN_MS = 5_000

export function recovery({ http, clock, random }: RecoveryOptions): Recovery {
  const waiters = new Set<() => void>()
  let asking: AbortController | undefined
  /** When it was asked last. Kept from one wait to the next: backoffs end and begin again in the middle of an outage. */
  let wasDown = false

  /** A server that does not let everybody ask for its health answers all the same. */
  async function ask(signal: AbortSignal): Promise<boolean> {
    const { status } = await http.raw({ method: 'GET', path: '/readyz', timeoutMs: ANSWER_WITHIN_MS, signal })
    return status < 500 && status !== 429
  }

  async function keepAsking({ signal }: AbortController): Promise<void> {
    for (;;) {
      await sleep(clock, EVERY_MS * (0.5 + random()), signal)
      const isUp = await ask(signal).catch(() => false)
      signal.throwIfAborted()
      if (isUp && wasDown) for (const wake of [...waiters]) wake()
      wasDown = !isUp
    }
  }

  function join(wake: () => void): void {
    waiters.add(wake)
    if (asking !== undefined) return
    asking = new AbortController()
    keepAsking(asking).catch(() => undefined) // the last one left
  }

  function leave(wake: () => void): void {
    waiters.delete(wake)
    if (waiters.size > 0) return
    asking?.abort()
    asking = undefined
  }

  return {
    recovered(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const settle = (how: () => void) => {
          leave(wake)
          signal.removeEventListener('abort', abort)
          how()
        }
        const wake = () => settle(resolve)
        const abort = () => settle(() => reject(signal.reason))
        signal.addEventListener('abort', abort, { once: true })
        join(wake)
      })
    },
  }
}
