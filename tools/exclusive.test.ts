import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exclusively, LockedError, lockNow } from './exclusive.ts'

let directory: string
let lock: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-lock-'))
  lock = join(directory, 'result.lock')
})
afterEach(() => rm(directory, { recursive: true }))

/** Another process that wants the same thing. */
function builder(mode = ''): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'fixtures/builder.ts'), directory, mode])
}

async function saying(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no stdout')
  const [chunk] = await once(child.stdout, 'data')
  return String(chunk).trim()
}

const journal = async () => (await readFile(join(directory, 'journal'), 'utf8')).trim().split('\n')

describe('exclusively', () => {
  it('lets one of several processes build, and the others find its result', async () => {
    const builders = [builder(), builder(), builder(), builder()]
    const codes = await Promise.all(builders.map(async (child) => (await once(child, 'exit'))[0]))

    expect(codes).toEqual([0, 0, 0, 0])
    const [begin, end, ...more] = await journal()
    expect(begin?.split(' ')[0]).toBe('begin')
    expect(end).toBe(begin?.replace('begin', 'end'))
    expect(more).toEqual([])
    expect((await readdir(directory)).sort()).toEqual(['journal', 'result'])
  })

  it('says whom it waits for, and takes over at once when that one is killed', async () => {
    const first = builder('hang')
    expect(await saying(first)).toBe('building')
    const second = builder()
    expect(await saying(second)).toBe(`waiting for ${first.pid}`)

    first.kill('SIGKILL')
    const [code] = await once(second, 'exit')

    expect(code).toBe(0)
    expect(await journal()).toEqual([`begin ${first.pid}`, `begin ${second.pid}`, `end ${second.pid}`])
  })

  it('is not fooled by a pid that belongs to another process by now', async () => {
    await writeFile(lock, JSON.stringify({ pid: process.ppid, host: hostname(), startedAt: 'long ago' }))
    expect(await exclusively(lock, {}, async () => 'ran')).toBe('ran')
  })

  it('takes over from another host only after a minute without a sign of life', async () => {
    await writeFile(lock, JSON.stringify({ pid: 1, host: 'elsewhere', startedAt: '' }))
    await expect(lockNow(lock)).rejects.toThrow(LockedError)

    const longAgo = new Date(Date.now() - 61_000)
    await utimes(lock, longAgo, longAgo)
    expect(await exclusively(lock, {}, async () => 'ran')).toBe('ran')
  })

  it('releases the lock when the work fails, and stops waiting with its signal', async () => {
    await expect(exclusively(lock, {}, () => Promise.reject(new Error('no compiler')))).rejects.toThrow('no compiler')

    const release = await lockNow(lock)
    const waiting = exclusively(lock, { signal: AbortSignal.timeout(20) }, async () => 'ran')
    await expect(waiting).rejects.toThrow(/timeout|aborted/i)
    await release()
    expect(await readdir(directory)).toEqual([])
  })
})
