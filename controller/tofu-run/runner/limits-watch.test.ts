import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Exceeded, limitsWatch, whatIsExceeded } from './limits-watch.ts'
import { diskUsage } from './usage.ts'

const megabyte = 2 ** 20
const limits = { cpuTimeMs: 60_000, memoryBytes: 512 * megabyte, diskBytes: 4096 * megabyte }
const within = { diskBytes: 4096 * megabyte, memoryBytes: 512 * megabyte, cpuTimeMs: 60_000 }
const disk = { bytes: 100 * 1024 * megabyte, freeBytes: 256 * megabyte }

describe('a limit that is exceeded', () => {
  it('is none as long as all that is used is what may be used', () => {
    expect(whatIsExceeded(within, limits, disk)).toBeUndefined()
  })

  it.each([
    [
      { diskBytes: 4097 * megabyte },
      disk,
      'DiskLimitExceeded',
      '4 GiB of disk that a run may have (SKYCLUST_TOFU_DISK)',
    ],
    [{ memoryBytes: 513 * megabyte }, disk, 'MemoryLimitExceeded', '512 MiB of memory'],
    [{ cpuTimeMs: 60_010 }, disk, 'CPULimitExceeded', '60 s of CPU time'],
    [{}, { ...disk, freeBytes: 255 * megabyte }, 'DiskLimitExceeded', 'full: 255 MiB are left, of 100 GiB'],
  ])('%o, %o: is named', (used, space, reason, why) => {
    const exceeded = whatIsExceeded({ ...within, ...used }, limits, space)
    expect(exceeded).toEqual({ reason, why: expect.stringContaining(why) })
  })

  it('is not the free space of a disk that is small', () => {
    expect(whatIsExceeded(within, limits, { bytes: 64 * megabyte, freeBytes: megabyte })).toBeUndefined()
  })
})

describe('the watch', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'watch-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  async function grow(name: string, bytes: number): Promise<void> {
    const before = await diskUsage(folder)
    await writeFile(join(folder, name), randomBytes(bytes))
    await expect.poll(() => diskUsage(folder), { timeout: 30_000 }).toBeGreaterThanOrEqual(before + bytes)
  }

  it('tells once that a limit is exceeded, and once that it is far exceeded by what goes on growing', async () => {
    const told: (Exceeded['reason'] | 'far beyond')[] = []
    const watch = limitsWatch({
      limits: { ...limits, diskBytes: 2 * megabyte },
      folder,
      pid: 2 ** 22 + 1,
      everyMs: 3_600_000,
      onExceeded: ({ reason }) => told.push(reason),
      onFarBeyond: () => told.push('far beyond'),
    })
    await grow('a', megabyte)
    await watch.look()
    expect(told).toEqual([])
    await grow('b', 3 * megabyte) // far beyond at once, but told to stop first
    await watch.look()
    await watch.look()
    expect(told).toEqual(['DiskLimitExceeded'])
    await grow('c', megabyte)
    await watch.look()
    await watch.look()
    expect(told).toEqual(['DiskLimitExceeded', 'far beyond'])
    watch.end()
  })

  it('looks by itself', async () => {
    await grow('a', 3 * megabyte)
    const exceeded = await new Promise<Exceeded>((resolve) => {
      const watch = limitsWatch({
        limits: { ...limits, diskBytes: 2 * megabyte },
        folder,
        pid: 2 ** 22 + 1,
        everyMs: 1,
        onExceeded(exceeded) {
          watch.end()
          resolve(exceeded)
        },
        onFarBeyond: () => undefined,
      })
    })
    expect(exceeded.why).toContain('2 MiB of disk')
  })
})
