import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KubeError } from './kube-error.ts'
import { manualClock } from './manual-clock.ts'
import { modelApiServer, thingType } from './model-api-server.ts'
import { histories, play } from './random-histories.ts'
import { type ReflectorEvent, reflect } from './reflector.ts'

/** A reflector whose events are gathered as they come. */
function reflection(options: { readonly pageSize?: number } = {}) {
  const server = modelApiServer()
  const clock = manualClock()
  const stop = new AbortController()
  const events: ReflectorEvent[] = []
  const told = (type: ReflectorEvent['type']) => events.filter((event) => event.type === type)
  async function run() {
    const random = () => 0.5 // a jitter factor of 1
    for await (const event of reflect(server.client, thingType, { signal: stop.signal, clock, random, ...options }))
      events.push(event)
  }
  const ended = run()
  return {
    server,
    clock,
    events,
    told,
    /** As text, for comparisons that read well. */
    get said() {
      return events.map((event) => ('object' in event ? `${event.type} ${event.object.metadata.name}` : event.type))
    },
    get delays() {
      return events.flatMap((event) => (event.type === 'interrupted' ? [event.retryMs] : []))
    },
    settle: () => clock.advanceAsync(0),
    async stop() {
      stop.abort()
      await ended
    },
  }
}

describe('reflect', () => {
  it('tells all there is, page by page, and then what changes', async () => {
    const { server, settle, stop, ...reflected } = reflection({ pageSize: 2 })
    for (const name of ['a', 'b', 'c']) server.put(name, {})
    await settle()
    server.put('d', {})
    server.remove('a')
    server.bookmark()
    await settle()

    expect(reflected.events.map((event) => event.type)).toEqual([
      'init',
      'apply',
      'apply',
      'apply',
      'ready',
      'watching',
      'apply',
      'delete',
      'bookmark',
    ])
    expect(server.lists).toBe(1)
    await stop()
    expect(server.openWatches).toBe(0)
  })

  it('goes on from where it was when a watch ends, without listing again', async () => {
    const { server, clock, settle, stop, told } = reflection()
    await settle()
    for (let round = 0; round < 5; round++) {
      server.put(`during-${round}`, {})
      await clock.advanceAsync(300_000)
      server.endWatches()
      server.put(`between-${round}`, {})
      await settle()
    }

    expect(server.lists).toBe(1)
    expect(told('interrupted')).toEqual([])
    expect(told('apply')).toHaveLength(10)
    await stop()
  })

  it('resumes from a bookmark, so that a history that is gone by then does not make it list again', async () => {
    const { server, clock, settle, stop } = reflection()
    await settle()
    server.put('a', {})
    await settle()
    server.bookmark()
    await settle()
    server.compact()
    await clock.advanceAsync(5_000)
    server.endWatches()
    await settle()
    server.put('b', {})
    await settle()

    expect(server.lists).toBe(1)
    await stop()
  })

  it('lists again when the version is too old', async () => {
    const reflected = reflection()
    const { server, clock, settle, stop } = reflected
    server.put('a', {})
    server.put('b', {})
    await settle()
    server.endWatches(new KubeError('cut', { status: 0, reason: 'ConnectionFailed' }))
    await settle()
    server.remove('a')
    server.compact()
    await clock.advanceAsync(60_000)

    expect(server.lists).toBe(2)
    expect(reflected.said.slice(-4)).toEqual(['init', 'apply b', 'ready', 'watching'])
    await stop()
  })

  it('starts over when its pages expire, and asks for all at once when they keep expiring', async () => {
    const reflected = reflection({ pageSize: 1 })
    const { server, settle, stop } = reflected
    for (const name of ['a', 'b', 'c']) server.put(name, {})
    let compactions = 0
    while (reflected.told('ready').length === 0 && compactions++ < 20) {
      server.put('a', { value: compactions })
      server.compact()
      await new Promise((resolve) => setImmediate(resolve))
    }

    expect(reflected.told('ready')).toHaveLength(1)
    expect(reflected.told('interrupted')).toEqual([])
    expect(server.lists).toBe(3)
    const lastInit = reflected.said.lastIndexOf('init')
    expect(reflected.said.slice(lastInit, lastInit + 5)).toEqual(['init', 'apply a', 'apply b', 'apply c', 'ready'])
    await settle()
    await stop()
  })

  it('waits longer after each failure, as long as asked, and forgets failures after two healthy minutes', async () => {
    const reflected = reflection()
    const { server, clock, stop } = reflected
    server.refuse(7)
    await clock.advanceAsync(200_000)
    expect(reflected.delays).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000])

    server.refuse(1, new KubeError('slow down', { status: 429, retryAfterMs: 45_000 }))
    server.endWatches()
    await clock.advanceAsync(0)
    expect(reflected.delays.at(-1)).toBe(45_000)

    await clock.advanceAsync(45_000 + 120_000)
    server.endWatches(new KubeError('cut', { status: 0 }))
    await clock.advanceAsync(0)
    expect(reflected.delays.at(-1)).toBe(800)
    await stop()
  })

  it('does not let a server that has just begun wait for as long as it was away', async () => {
    const reflected = reflection()
    const { server, clock, stop } = reflected
    await clock.advanceAsync(0)
    server.endWatches(new KubeError('cut', { status: 0, reason: 'ConnectionFailed' }))
    server.refuse(6)
    await clock.advanceAsync(40_000)
    server.put('a', {})
    server.compact()
    server.refuse(2, new KubeError('storage is (re)initializing', { status: 429, retryAfterMs: 1_000 }))
    await clock.advanceAsync(60_000)

    expect(reflected.delays).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 1_000, 1_600, 800])
    expect(reflected.said.at(-1)).toBe('watching')
    await stop()
  })

  it('waits longer each time that its version is too old, however well the LISTs go', async () => {
    const reflected = reflection()
    const { server, clock, stop } = reflected
    await clock.advanceAsync(0)
    for (let round = 0; round < 6; round++) {
      server.endWatches(new KubeError('too old', { status: 410, reason: 'Expired' }))
      await clock.advanceAsync(30_000)
    }

    expect(reflected.delays).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600])
    await stop()
  })

  it('does not spin when the server ends every watch at once', async () => {
    const { server, clock, settle, stop, told } = reflection()
    await settle()
    for (let round = 0; round < 10; round++) {
      server.endWatches()
      await clock.advanceAsync(30_000 * 1.5)
    }
    await stop()
    expect(told('interrupted').length).toBeGreaterThan(0)
    expect(told('interrupted').length).toBeLessThanOrEqual(10)
  })

  it('ends with its signal wherever it is: listing, watching, waiting', async () => {
    for (const arrange of ['listing', 'watching', 'waiting'] as const) {
      const { server, clock, settle, stop, told } = reflection()
      if (arrange === 'waiting') server.refuse(100)
      if (arrange !== 'listing') await settle()
      await stop()
      expect(server.openWatches).toBe(0)
      expect(clock.pending).toBe(0)
      if (arrange === 'listing') expect(told('ready')).toEqual([])
    }
  })
})

describe('reflect, whatever happens to the server', () => {
  it('never breaks the grammar of its events', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const { server, clock, events, stop } = reflection({ pageSize: 2 })
        await play(history, { server, clock })
        await stop()

        let isListing = true
        let version = 0
        expect(events[0]?.type).toBe('init')
        for (const event of events) {
          if (event.type === 'init') isListing = true
          else if (event.type === 'ready') {
            expect(isListing).toBe(true)
            expect(Number(event.resourceVersion)).toBeGreaterThanOrEqual(version)
            isListing = false
            version = Number(event.resourceVersion)
          } else if (event.type === 'apply' || event.type === 'delete') {
            if (isListing) expect(event.type).toBe('apply')
            else expect(Number(event.object.metadata.resourceVersion)).toBeGreaterThan(version)
            if (!isListing) version = Number(event.object.metadata.resourceVersion)
          } else if (event.type === 'bookmark') {
            expect(isListing).toBe(false)
            expect(Number(event.resourceVersion)).toBeGreaterThanOrEqual(version)
            version = Number(event.resourceVersion)
          }
        }
        expect(version).toBe(Number(server.resourceVersion))
      }),
      { numRuns: 200 },
    )
  })
})
