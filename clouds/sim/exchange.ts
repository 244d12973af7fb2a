/**
 * Carries a call to the simulated cloud and its answer back, in the time that the cloud gives them. What was
 * received takes effect even if the caller no longer listens, as in a cloud.
 */
import { type Sleep, sleepMs } from '../sleep.ts'
import { unlessAborted } from '../unless-aborted.ts'
import type { Sim } from './sim.ts'
import type { SimAnswer, SimRequest } from './wire.ts'

/** How a client reaches the simulated cloud: over HTTP, or in its own process. */
export interface SimTransport {
  /** Rejects when no answer comes: a reset connection, or the signal. */
  send(request: SimRequest, signal: AbortSignal): Promise<SimAnswer>
}

export type Delivery = SimAnswer | 'reset' | 'never'

export async function exchange(sim: Sim, request: SimRequest, sleep: Sleep): Promise<Delivery> {
  const { effectAfterMs, answerAfterMs, perform, answer } = sim.receive(request)
  const effect = effectAfterMs > 0 ? sleep(effectAfterMs).then(perform) : Promise.resolve(perform())
  if (answer === 'never') return 'never'
  if (answer === 'performed') {
    const performed = await effect
    const restMs = answerAfterMs - effectAfterMs
    if (restMs > 0) await sleep(restMs)
    return performed
  }
  if (answerAfterMs > 0) await sleep(answerAfterMs)
  return answer
}

/** The transport into a simulated cloud in the same process; under a virtual clock, `sleep` is that clock's. */
export function inProcess(sim: Sim, { sleep = sleepMs }: { readonly sleep?: Sleep } = {}): SimTransport {
  return {
    async send(request, signal) {
      signal.throwIfAborted()
      const delivery = await unlessAborted(exchange(sim, request, sleep), signal)
      if (delivery === 'never') return unlessAborted(new Promise<never>(() => undefined), signal)
      if (delivery === 'reset') throw new Error('socket hang up')
      return delivery
    },
  }
}
