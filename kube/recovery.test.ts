import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cache } from './cache.ts'
import type { KubeClient } from './client.ts'
import { KubeError } from './kube-error.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'
import { modelApiServer, thingType } from './model-api-server.ts'
import { recovery } from './recovery.ts'

/** A server that is there or not, and counts how often it was asked for its health. */
function asked(clock: ManualClock, random = () => 0.5) {
  const server = { status: 200, asks: 0 }
  const raw = async () => {
    server.asks += 1
    if (server.status === 0) throw new KubeError('gone', { status: 0, reason: 'ConnectionFailed' })
    return { status: server.status, headers: {}, body: '' }
  }
  return { server, ...recovery({ http: { raw }, clock, random }) }
}

describe('recovery', () => {
  it.each([0, 429, 503])('wakes everybody once a server that answered %i answers again', async (status) => {
    const clock = manualClock()
    const { server, recovered } = asked(clock)
    server.status = status
    const woken: string[] = []
    const { signal } = new AbortController()
    for (const name of ['one', 'other']) recovered(signal).then(() => woken.push(name))
    await clock.advanceAsync(60_000)
    expect(woken).toEqual([])

    server.status = 200
    await clock.advanceAsync(3_000)
    expect(woken).toEqual(['one', 'other'])
  })

  it('takes a refusal for an answer: not everybody may ask for its health', async () => {
    const clock = manualClock()
    const { server, recovered } = asked(clock)
    server.status = 0
    const back = recovered(new AbortController().signal)
    await clock.advanceAsync(5_000)
    server.status = 403
    await clock.advanceAsync(3_000)
    await back
  })

  it('never wakes whoever fails at a server that answers all the while', async () => {
    const clock = manualClock()
    const { recovered } = asked(clock)
    let isWoken = false
    recovered(new AbortController().signal).then(() => {
      isWoken = true
    })
    await clock.advanceAsync(600_000)
    expect(isWoken).toBe(false)
  })

  it('remembers from one wait to the next that the server was gone', async () => {
    const clock = manualClock()
    const { server, recovered } = asked(clock)
    server.status = 0
    const first = new AbortController()
    const given = recovered(first.signal)
    await clock.advanceAsync(3_000)
    first.abort(new Error('my backoff is over'))
    await expect(given).rejects.toThrow('my backoff is over')

    server.status = 200
    const back = recovered(new AbortController().signal)
    await clock.advanceAsync(3_000)
    await back
  })

  it('asks about every two seconds on behalf of all, and not at all while nobody waits', async () => {
    const clock = manualClock()
    const { server, recovered } = asked(clock)
    server.status = 0
    await clock.advanceAsync(60_000)
    expect(server.asks).toBe(0)

    const stop = new AbortController()
    const waits = Array.from({ length: 20 }, () => recovered(stop.signal).catch(() => undefined))
    await clock.advanceAsync(60_000)
    expect(server.asks).toBe(30)

    stop.abort()
    await Promise.all(waits)
    await clock.advanceAsync(60_000)
    expect(server.asks).toBe(30)
    expect(clock.pending).toBe(0)
  })
})

describe('caches of one client', () => {
  const outages = fc.record({
    downMs: fc.integer({ min: 1, max: 240_000 }),
    dice: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 20 }),
  })

  it('are all open again within seconds of the end of an outage of any length, and leave a dead server in peace', {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(outages, async ({ downMs, dice }) => {
        let throws = 0
        const random = () => dice[throws++ % dice.length] ?? 0
        const clock = manualClock()
        const model = modelApiServer()
        const { server, recovered } = asked(clock, random)
        let refused = 0
        /** The model's own, and nobody at all while the server is gone. */
        const client = {
          ...model.client,
          recovered,
          async *watch(...args: Parameters<KubeClient['watch']>) {
            if (server.status === 0) {
              refused += 1
              throw new KubeError('gone', { status: 0, reason: 'ConnectionFailed' })
            }
            yield* model.client.watch(...args)
          },
        } as KubeClient
        const stop = new AbortController()
        const caches = Array.from({ length: 7 }, () => cache(client, thingType, { signal: stop.signal, clock, random }))
        await clock.advanceAsync(0)

        server.status = 0
        model.endWatches(new KubeError('cut', { status: 0, reason: 'ConnectionFailed' }))
        await clock.advanceAsync(downMs)
        server.status = 200
        await clock.advanceAsync(5_000)

        expect(caches.map((one) => one.freshness().connected)).toEqual(caches.map(() => true))
        expect(refused).toBeLessThanOrEqual(7 * (7 + downMs / 15_000))
        expect(server.asks).toBeLessThanOrEqual(1 + (downMs + 5_000) / 1_000)
        stop.abort()
        await Promise.all(caches.map((one) => one.done))
        expect(clock.pending).toBe(0)
      }),
      { numRuns: 25 },
    )
  })
})
