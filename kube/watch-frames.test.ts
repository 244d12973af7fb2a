import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KubeError } from './kube-error.ts'
import { lineSplitter, MAX_LINE_BYTES } from './watch-frames.ts'

describe('lineSplitter', () => {
  it('gives the same lines however the bytes are cut, between or within characters', () => {
    const line = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((text) => !text.includes('\n') && text.isWellFormed())
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (lines, sizes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
        const splitter = lineSplitter()
        const got: string[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          got.push(...splitter.push(bytes.subarray(at, at + size)))
          at += size
        }
        expect(got).toEqual(lines)
      }),
    )
  })

  it('puts a line of many chunks together in time that grows with its length, not its square', () => {
    const splitter = lineSplitter()
    const chunk = Buffer.alloc(16, 'x')
    const startedAt = performance.now()
    for (let part = 0; part < 500_000; part++) splitter.push(chunk)
    const [line] = splitter.push(Buffer.from('\n'))

    expect(line).toHaveLength(8_000_000)
    expect(performance.now() - startedAt).toBeLessThan(5_000) // quadratic copying would be 2 TB
  })

  it('refuses a line without end', () => {
    const splitter = lineSplitter()
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    expect(() => {
      for (let bytes = 0; bytes <= MAX_LINE_BYTES; bytes += chunk.length) splitter.push(chunk)
    }).toThrow(KubeError)
  })
})
