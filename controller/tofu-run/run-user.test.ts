import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { isUserOfRun, userOf } from './run-user.ts'

const userOfUid = (uid: string) => userOf({ metadata: { uid } })

describe('the user of a run', () => {
  it('is the same for each of its phases, and as a rule nobody else’s', () => {
    expect(userOfUid('2266fb9d-227a-4927-8663-930e0e6c8ce1')).toBe(userOfUid('2266fb9d-227a-4927-8663-930e0e6c8ce1'))
    expect(userOfUid('2266fb9d-227a-4927-8663-930e0e6c8ce1')).not.toBe(
      userOfUid('711168b8-750a-4bed-b28c-7988df9cff67'),
    )
  })

  it('is told from the users of other programs', () => {
    for (const uid of ['00000000-0', 'ffffffff-f']) expect(isUserOfRun(userOfUid(uid))).toBe(true)
    for (const user of [0, 1000, 65_532, 65_999, 67_000, undefined]) expect(isUserOfRun(user)).toBe(false)
  })

  it('has its line in the /etc/passwd of the image', async () => {
    const dockerfile = await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8')
    const [, from, to] = /seq (\d+) (\d+)/.exec(dockerfile) ?? []
    expect([from, to].map(Number).map(isUserOfRun)).toEqual([true, true])
    expect([Number(from) - 1, Number(to) + 1].map(isUserOfRun)).toEqual([false, false])
  })
})
