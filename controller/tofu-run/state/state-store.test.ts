import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { blobStore, chunkBytes } from './blob-store.ts'
import { type Fault, faultySecrets } from './faulty-secrets.ts'
import { keyring } from './keyring.ts'
import { isRefused, newest, type StackHead } from './stack-head.ts'
import { headName, stackKey, stateStore } from './state-store.ts'

const stack = { namespace: 'team-a', namespaceUid: '6f3c', name: 'default' }
const claim = { run: 'uid-1', phase: 'apply' } as const
const holder = { ...claim, name: 'net-1', since: '2026-01-01T00:00:00Z' }

/** A state with a serial; `filler` bytes that do not compress make it span chunks. */
function state(serial: number, filler = 0): Buffer {
  const pad = randomBytes(filler).toString('base64')
  return Buffer.from(JSON.stringify({ version: 4, serial, lineage: 'L', outputs: {}, resources: [], pad }))
}

function world(keepVersions = 3) {
  const time = { ms: Date.parse('2026-01-01T00:00:00Z') }
  const now = () => time.ms
  const secrets = faultySecrets(now)
  /** A process that starts: nothing in memory. */
  function start() {
    const keys = keyring({ secrets, randomBytes, now })
    const blobs = blobStore({ secrets, keyring: keys, randomBytes, now })
    return { keys, store: stateStore({ secrets, blobs, now, keepVersions }) }
  }
  const chunks = () => secrets.all().filter(({ name }) => name.startsWith('tofu-blob-'))
  return { time, secrets, start, chunks, ...start() }
}

function taken(result: StackHead | { refused: string; message: string }): StackHead {
  if ('refused' in result) throw new Error(result.message)
  return result
}

describe('the state store', () => {
  it('has nothing to read before the first write', async () => {
    const { store } = world()
    expect(await store.read(stack)).toBeUndefined()
  })

  it('gives back a written state to the byte, in another process too', async () => {
    const { store, start } = world()
    await store.acquire(stack, holder)
    const bytes = state(1, 2 * chunkBytes)
    await store.write(stack, { claim, bytes, writtenBy: 'net-1' })
    expect(Buffer.compare((await start().store.read(stack)) ?? Buffer.alloc(0), bytes)).toBe(0)
  })

  it('keeps every chunk below the size of a Secret, immutable and unreadable', async () => {
    const { store, chunks } = world()
    await store.acquire(stack, holder)
    await store.write(stack, { claim, bytes: state(1, 3 * chunkBytes), writtenBy: 'net-1' })
    expect(chunks().length).toBeGreaterThan(3)
    for (const chunk of chunks()) {
      expect(chunk.data.chunk?.length).toBeLessThanOrEqual(chunkBytes)
      expect(chunk.data.chunk?.includes('"lineage"')).toBe(false)
    }
  })

  it('stores 30 MB', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    const bytes = state(1, 22 * 1024 * 1024)
    expect(bytes.length).toBeGreaterThan(30_000_000)
    await store.write(stack, { claim, bytes, writtenBy: 'net-1' })
    expect((await store.read(stack))?.equals(bytes)).toBe(true)
  })

  it('refuses a writer that does not hold the stack, and says who does', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    const other = { run: 'uid-2', phase: 'apply' } as const
    const answer = await store.write(stack, { claim: other, bytes: state(1), writtenBy: 'net-2' })
    expect(answer).toMatchObject({ refused: 'notHolder', message: expect.stringContaining('net-1') })
    expect(await store.acquire(stack, { ...other, name: 'net-2', since: '' })).toMatchObject({ refused: 'notHolder' })
  })

  it('refuses the plan phase of a run once the run is applying, and everything once it has let go', async () => {
    const { store } = world()
    await store.acquire(stack, { ...holder, phase: 'plan' })
    taken(await store.acquire(stack, holder))
    const planner = { run: 'uid-1', phase: 'plan' } as const
    expect(await store.write(stack, { claim: planner, bytes: state(1), writtenBy: '' })).toMatchObject({
      refused: 'notHolder',
    })
    await store.release(stack, 'uid-1')
    expect(await store.write(stack, { claim, bytes: state(1), writtenBy: '' })).toMatchObject({ refused: 'notHolder' })
  })

  it('lets one runner begin a phase, again if it asks again, and never a second', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    taken(await store.begin(stack, claim, 'runner-a'))
    taken(await store.begin(stack, claim, 'runner-a'))
    expect(await store.begin(stack, claim, 'runner-b')).toMatchObject({ refused: 'begunBefore' })
    taken(await store.acquire(stack, holder))
    expect(await store.begin(stack, claim, 'runner-b')).toMatchObject({ refused: 'begunBefore' })
  })

  it('lets no phase begin again that was begun and then made to let go', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    await store.begin(stack, claim, 'runner-1')
    await store.release(stack, claim.run)
    expect(await store.acquire(stack, holder)).toMatchObject({ refused: 'begunBefore' })
    taken(await store.acquire(stack, { ...holder, run: 'uid-2' }))
  })

  it('locks as tofu expects: a repeated LOCK is granted, another is told who has it, only the own is let go', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    taken(await store.lock(stack, claim, { ID: 'a' }))
    taken(await store.lock(stack, claim, { ID: 'a' }))
    expect(await store.lock(stack, claim, { ID: 'b' })).toMatchObject({ refused: 'locked' })
    expect(await store.unlock(stack, claim, 'b')).toMatchObject({ refused: 'locked' })
    expect(await store.write(stack, { claim, lockId: 'b', bytes: state(1), writtenBy: '' })).toMatchObject({
      refused: 'locked',
    })
    expect(taken(await store.unlock(stack, claim, 'a')).lock).toBeUndefined()
    taken(await store.unlock(stack, claim, 'a'))
  })

  it('frees the lock of a run that let go, and of no other', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    await store.lock(stack, claim, { ID: 'a' })
    await store.release(stack, 'uid-2')
    expect((await store.head(stack)).lock?.ID).toBe('a')
    await store.release(stack, 'uid-1')
    expect(await store.head(stack)).toMatchObject({ versions: [] })
    expect((await store.head(stack)).lock).toBeUndefined()
  })

  it('refuses an older serial and another lineage, and takes the same bytes twice for one write', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    const second = state(2)
    await store.write(stack, { claim, bytes: second, writtenBy: '' })
    expect(await store.write(stack, { claim, bytes: second, writtenBy: '' })).toMatchObject({ version: 1 })
    expect(await store.write(stack, { claim, bytes: state(1), writtenBy: '' })).toMatchObject({ refused: 'stale' })
    const foreign = Buffer.from('{"version":4,"serial":9,"lineage":"M"}')
    expect(await store.write(stack, { claim, bytes: foreign, writtenBy: '' })).toMatchObject({ refused: 'stale' })
    const imported = await store.write(stack, { claim, bytes: foreign, writtenBy: '', replaceLineage: true })
    expect(imported).toMatchObject({ version: 2, lineage: 'M' })
  })

  it('keeps the last versions, readable by number, and collects the chunks of the older ones', async () => {
    const { store, chunks } = world(3)
    await store.acquire(stack, holder)
    for (let serial = 1; serial <= 6; serial++)
      await store.write(stack, { claim, bytes: state(serial, 10), writtenBy: '' })
    const head = await store.head(stack)
    expect(head.versions.map(({ version }) => version)).toEqual([4, 5, 6])
    expect(String(await store.read(stack, 4))).toContain('"serial":4')
    expect(await store.read(stack, 3)).toBeUndefined()
    expect(chunks()).toHaveLength(3)
  })

  it('seals with the new key after a rotation, in every process, and reads what the old one sealed', async () => {
    const { store, keys, start, time } = world()
    const other = start()
    await store.acquire(stack, holder)
    await store.write(stack, { claim, bytes: state(1), writtenBy: '' })
    const rotated = await keys.rotate()
    expect(String(await other.store.read(stack))).toContain('"serial":1')
    time.ms += 61_000
    const written = await other.store.write(stack, { claim, bytes: state(2), writtenBy: '' })
    expect(written).toMatchObject({ blob: { keyId: rotated } })
    expect(String(await store.read(stack, 1))).toContain('"serial":1')
    expect(String(await store.read(stack, 2))).toContain('"serial":2')
  })

  it('does not give a namespace made anew under the same name what the old one had', async () => {
    const { store } = world()
    await store.acquire(stack, holder)
    await store.write(stack, { claim, bytes: state(1), writtenBy: '' })
    expect(await store.read({ ...stack, namespaceUid: 'another' })).toBeUndefined()
  })

  it('serves twenty writers in any interleaving without losing or mixing a write', async () => {
    const { store, start } = world(50)
    await store.acquire(stack, holder)
    const writes = Array.from({ length: 20 }, () =>
      start().store.write(stack, { claim, bytes: state(7, 50), writtenBy: '' }),
    )
    const settled = await Promise.all(writes)
    expect(settled.every((answer) => !('refused' in answer))).toBe(true)
    const head = await store.head(stack)
    expect(head.versions.map(({ version }) => version)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    for (const { version } of head.versions) expect(await store.read(stack, version)).toBeDefined()
  })
})

describe('a writer that dies', () => {
  const old = state(1, chunkBytes)
  const next = state(2, 2 * chunkBytes)

  async function beforeTheWrite() {
    const all = world(2)
    await all.store.acquire(stack, holder)
    await all.store.write(stack, { claim, bytes: state(0), writtenBy: '' })
    await all.store.write(stack, { claim, bytes: old, writtenBy: '' })
    return all
  }

  async function callsOfAWrite(): Promise<number> {
    const { store, secrets } = await beforeTheWrite()
    const before = secrets.calls()
    await store.write(stack, { claim, bytes: next, writtenBy: '' })
    return secrets.calls() - before
  }

  it.each<Fault>(['before', 'after'])(
    'leaves the old state or the new one, whole, at every call (%s it took effect)',
    async (fault) => {
      const calls = await callsOfAWrite()
      expect(calls).toBeGreaterThan(5)
      const seen = new Set<string>()
      for (let call = 0; call < calls; call++) {
        const { store, secrets, start, time, chunks } = await beforeTheWrite()
        secrets.dieAt(call, fault)
        const answer = await store.write(stack, { claim, bytes: next, writtenBy: '' }).catch(() => undefined)
        secrets.heal()

        const found = await start().store.read(stack)
        const which = found?.equals(old) ? 'old' : found?.equals(next) ? 'new' : 'neither'
        seen.add(which)
        expect(which).not.toBe('neither')
        if (answer !== undefined && !('refused' in answer)) expect(which).toBe('new')

        // Tofu sends it again; then another run comes, an hour later: the state is the new one and nothing is left over.
        await start().store.write(stack, { claim, bytes: next, writtenBy: '' })
        expect((await start().store.read(stack))?.equals(next)).toBe(true)
        await start().store.release(stack, claim.run)
        time.ms += 3_600_000
        const head = taken(await start().store.acquire(stack, { ...holder, run: 'uid-2' }))
        const referred = head.versions.reduce((sum, { blob }) => sum + blob.chunks, 0)
        expect(chunks()).toHaveLength(referred)
      }
      expect([...seen].sort()).toEqual(['new', 'old'])
    },
  )

  it('is told that the write counts when only the answer was lost', async () => {
    const { store, secrets } = await beforeTheWrite()
    const replace = secrets.replace
    let lost = false
    secrets.replace = async (draft) => {
      const done = await replace(draft)
      if (lost) return done
      lost = true
      throw new Error('the connection was reset')
    }
    expect(await store.write(stack, { claim, bytes: next, writtenBy: '' })).toMatchObject({ version: 3 })
  })
})

describe('a head that was tampered with', () => {
  it('does not pass off the state of one stack as that of another', async () => {
    const { store, secrets } = world()
    const other = { ...stack, name: 'other' }
    await store.acquire(stack, holder)
    await store.write(stack, { claim, bytes: state(1), writtenBy: '' })
    const theirs = await secrets.get(headName(stack))
    await secrets.create({ name: headName(other), data: theirs?.data ?? {} })
    await expect(store.read(other)).rejects.toThrow(stackKey(other))
  })

  it('says which chunk is gone', async () => {
    const { store, secrets, chunks } = world()
    await store.acquire(stack, holder)
    await store.write(stack, { claim, bytes: state(1), writtenBy: '' })
    const chunk = chunks()[0]?.name ?? ''
    await secrets.remove(chunk)
    await expect(store.read(stack)).rejects.toThrow(chunk)
    expect(isRefused(await store.head(stack))).toBe(false)
    expect(newest(await store.head(stack))?.serial).toBe(1)
  })
})
