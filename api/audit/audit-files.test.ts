import { mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { auditLog } from './audit-log.ts'
import { fileSink } from './audit-sinks.ts'
import { fileTrail } from './audit-trail.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'))
  path = join(folder, 'audit.log')
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true })
})

const line = (id: number) => JSON.stringify({ kind: 'Event', auditID: String(id), padding: 'x'.repeat(80) })

async function open({ rotateBytes = 0, keep = 3 } = {}) {
  const log = auditLog({ sink: await fileSink({ path, rotateBytes, keep }), onError: () => undefined })
  return {
    async write(...ids: readonly number[]) {
      vi.setSystemTime(Date.now() + 10_000) // long enough to look at the file again
      for (const id of ids) log.write(line(id), 'now')
      await log.written()
    },
    async newest() {
      const ids: string[] = []
      for await (const event of fileTrail({ path, keep, written: log.written }).newest()) ids.push(event.auditID)
      return ids.map(Number)
    },
    close: () => log.close(1_000),
  }
}

describe('an audit file', () => {
  it('is for nobody else to read, and is gone on with after a restart', async () => {
    const first = await open()
    await first.write(1, 2)
    await first.close()
    const second = await open()
    await second.write(3)

    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await second.newest()).toEqual([3, 2, 1])
    await second.close()
  })

  it('is rotated when it is too long; the oldest go, and the newest are read across files', async () => {
    const log = await open({ rotateBytes: 100, keep: 2 })
    for (let id = 1; id <= 5; id++) await log.write(id)

    expect((await readdir(folder)).sort()).toEqual(['audit.log', 'audit.log.1', 'audit.log.2'])
    expect(await log.newest()).toEqual([5, 4, 3])
    await log.close()
  })

  it('is opened anew when somebody else has rotated or removed it', async () => {
    const log = await open()
    await log.write(1)
    await rename(path, `${path}.1`)
    await log.write(2)
    expect(await readFile(path, 'utf8')).toBe(`${line(2)}\n`)
    expect(await log.newest()).toEqual([2, 1])

    await rm(path)
    await log.write(3)
    expect(await readFile(path, 'utf8')).toBe(`${line(3)}\n`)
    await log.close()
  })

  it('is read whatever the length of its lines, and around what is no audit line', async () => {
    const log = await open()
    const ids = Array.from({ length: 6_000 }, (_, id) => id)
    await log.write(...ids)
    const raw = await fileSink({ path, rotateBytes: 0, keep: 1 })
    await raw.write(Buffer.from(`${'y'.repeat(600_000)}\n{"kind":"Ev\n`))
    await raw.close()

    expect(await log.newest()).toEqual(ids.toReversed())
    await log.close()
  })
})
