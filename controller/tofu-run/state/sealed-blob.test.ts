import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyIdOf, open, seal } from './sealed-blob.ts'

const key = { id: '0a1b2c3d', secret: randomBytes(32) }
const boundTo = 'state/abc'

describe('a sealed blob', () => {
  it('gives back exactly what went in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), async (plain) => {
        const blob = await seal({ plain, key, boundTo, randomBytes })
        expect(Buffer.compare(await open({ blob, key, boundTo }), plain)).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  it('shows nothing of what is in it but the id of its key', async () => {
    const blob = await seal({ plain: Buffer.from('{"password":"hunter2"}'), key, boundTo, randomBytes })
    expect(blob.toString('latin1')).not.toContain('hunter2')
    expect(keyIdOf(blob)).toBe(key.id)
  })

  it('does not open when any one byte was changed', async () => {
    const blob = await seal({ plain: Buffer.from('{"serial":1}'), key, boundTo, randomBytes })
    for (let at = 0; at < blob.length; at++) {
      const changed = Buffer.from(blob)
      changed[at] = (changed[at] ?? 0) ^ 1
      await expect(open({ blob: changed, key, boundTo })).rejects.toThrow()
    }
  })

  it('does not open when it was cut short, for another stack, or with another key', async () => {
    const blob = await seal({ plain: Buffer.from('{"serial":1}'), key, boundTo, randomBytes })
    for (const length of [0, 3, 12, 23, blob.length - 1]) {
      await expect(open({ blob: blob.subarray(0, length), key, boundTo })).rejects.toThrow()
    }
    await expect(open({ blob, key, boundTo: 'state/other' })).rejects.toThrow('state/other')
    await expect(open({ blob, key: { ...key, secret: randomBytes(32) }, boundTo })).rejects.toThrow('damaged')
    await expect(open({ blob, key: { ...key, id: 'ffffffff' }, boundTo })).rejects.toThrow('0a1b2c3d')
  })
})
