import { describe, expect, it } from 'vitest'
import { type AuditLog, auditLog } from './audit-log.ts'

/** A disk that takes what it has room for, and lets a test wait for what it was asked. */
function disk(room = Number.POSITIVE_INFINITY) {
  let written = ''
  let free = room
  const hurdles: (() => Promise<void>)[] = []
  return {
    get text() {
      return written
    },
    get lines() {
      return written.split('\n').filter(Boolean)
    },
    makeRoom() {
      free = Number.POSITIVE_INFINITY
    },
    /** The next write waits for this. */
    before(hurdle: () => Promise<void>) {
      hurdles.push(hurdle)
    },
    sink: {
      async write(bytes: Buffer) {
        await hurdles.shift()?.()
        if (free === 0) throw new Error('ENOSPC')
        const taken = Math.min(free, bytes.byteLength)
        free -= taken
        written += bytes.subarray(0, taken).toString()
        return taken
      },
      close: async () => undefined,
    },
  }
}

function logTo(sink: Parameters<typeof auditLog>[0]['sink'], more: { maxPendingBytes?: number } = {}) {
  const errors: unknown[] = []
  return { log: auditLog({ sink, onError: (error) => errors.push(error), retryAfterMs: 1, ...more }), errors }
}

async function failing(log: AuditLog): Promise<void> {
  await expect.poll(() => log.isFailing).toBe(true)
}

describe('auditLog', () => {
  it('writes lines in order, those of reads soon and those of mutations at once', async () => {
    const file = disk()
    const { log } = logTo(file.sink)
    log.write('one', 'soon')
    log.write('two', 'now')
    log.write('three', 'soon')
    await log.written()

    expect(file.lines).toEqual(['one', 'two', 'three'])
    expect(log.pending).toBe(0)
  })

  it('loses no line and tears none when the disk was full for a while', async () => {
    const full = disk(7)
    const { log, errors } = logTo(full.sink)
    log.write('{"a":1}', 'now')
    log.write('{"b":2}', 'now')
    await failing(log)
    log.write('{"c":3}', 'now')
    expect([log.pending, log.dropped]).toEqual([3, 0])

    full.makeRoom()
    await log.written()
    expect(full.lines).toEqual(['{"a":1}', '{"b":2}', '{"c":3}'])
    expect(errors.length).toBeGreaterThan(0)
    expect([log.pending, log.dropped, log.isFailing]).toEqual([0, 0, false])
  })

  it('counts what there was no room for, and says beforehand when that comes near', async () => {
    const full = disk(0)
    const { log } = logTo(full.sink, { maxPendingBytes: 100 })
    expect(log.accepts()).toBe(true)
    for (let line = 0; line < 8; line++) log.write('x'.repeat(19), 'now')

    expect(log.accepts()).toBe(false)
    expect(log.dropped).toBe(3)
    full.makeRoom()
    await log.written()
    expect(full.lines).toHaveLength(5)
    expect(log.accepts()).toBe(true)
  })

  it('lets a mutation wait until its line is written, however slow the disk is', async () => {
    const slow = disk()
    const { promise: caughtUp, resolve: catchUp } = Promise.withResolvers<void>()
    slow.before(() => caughtUp)
    const { log } = logTo(slow.sink)
    log.write('mutation', 'now')
    let isWritten = false
    const written = log.written().then(() => {
      isWritten = true
    })
    await new Promise(setImmediate)
    expect(isWritten).toBe(false)

    catchUp()
    await written
    expect(slow.lines).toEqual(['mutation'])
  })

  it('writes what there is when it is closed, and counts what it could not write in time', async () => {
    const good = disk()
    const kept = logTo(good.sink).log
    kept.write('last words', 'soon')
    await kept.close(1_000)
    expect(good.lines).toEqual(['last words'])

    const full = disk(0)
    const lost = logTo(full.sink).log
    lost.write('one', 'now')
    lost.write('two', 'now')
    await lost.close(20)
    expect(lost.dropped).toBe(2)
  })
})
