import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { diskUsage, usageBelow } from './usage.ts'

const megabyte = 2 ** 20
const soon = { timeout: 30_000, interval: 50 }

describe('what a folder takes on its disk', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'usage-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('is what its files take together, at any depth, and not what a link leads to', async () => {
    const deep = join(folder, 'a', 'b')
    await mkdir(deep, { recursive: true })
    for (const name of ['1', '2', '3']) await writeFile(join(deep, name), randomBytes(megabyte))
    await symlink('/', join(folder, 'all'))
    await expect.poll(() => diskUsage(folder), soon).toBeGreaterThanOrEqual(3 * megabyte)
    expect(await diskUsage(folder)).toBeLessThan(4 * megabyte)
  })

  it('grows with files that are empty, and not with holes', async () => {
    const file = await open(join(folder, 'holes'), 'w')
    await file.truncate(1024 * megabyte)
    await file.close()
    const before = await diskUsage(folder)
    expect(before).toBeLessThan(megabyte)
    for (let count = 0; count < 100; count++) await writeFile(join(folder, `empty-${count}`), '')
    expect(await diskUsage(folder)).toBeGreaterThanOrEqual(before + 100 * 4096)
  })

  it('has in it what a folder holds that was locked', async () => {
    const locked = join(folder, 'locked')
    await mkdir(locked)
    await writeFile(join(locked, 'file'), randomBytes(megabyte))
    await chmod(locked, 0)
    await expect.poll(() => diskUsage(folder), soon).toBeGreaterThanOrEqual(megabyte)
  })

  it('is nothing when it is gone', async () => {
    expect(await diskUsage(join(folder, 'nowhere'))).toBe(0)
  })
})

/** Elsewhere there is no /proc. */
if (process.platform === 'linux') describe('what the processes below one use', processes)

function processes(): void {
  let leader: ChildProcess | undefined
  afterEach(async () => {
    if (leader?.exitCode !== null || leader.signalCode !== null) return
    const gone = once(leader, 'exit')
    leader.stdin?.end()
    await gone
  })

  async function below(script: string): Promise<number> {
    leader = spawn('/bin/sh', ['-c', `exec 3<&0; ${script}`], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(leader.stdout as NodeJS.ReadableStream, 'data')
    return leader.pid ?? 0
  }
  const node = (program: string) => `'${process.execPath}' -e '${program}'`
  const untilTheEnd = 'process.stdin.resume()'

  it('is the memory of each of them', async () => {
    const holds = `const held = Buffer.alloc(50 * 2 ** 20, 1); console.log(held.length); ${untilTheEnd}`
    const pid = await below(`(${node(holds)} <&3); exit 0`)
    expect((await usageBelow(pid)).memoryBytes).toBeGreaterThanOrEqual(50 * megabyte)
  })

  it('is the CPU time of each of them, of those that have ended too', async () => {
    const burns = 'while (process.cpuUsage().user < 500000);'
    const pid = await below(`sh -c "${node(burns).replaceAll('"', '\\"')}; exit 0"; echo burnt; cat <&3`)
    expect((await usageBelow(pid)).cpuTimeMs).toBeGreaterThanOrEqual(500)
  })

  it('is nothing for one that is gone', async () => {
    expect(await usageBelow(2 ** 22 + 1)).toEqual({ memoryBytes: 0, cpuTimeMs: 0 })
  })
}
