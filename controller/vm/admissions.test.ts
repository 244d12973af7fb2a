import { describe, expect, it } from 'vitest'
import { tokenBucket } from '../../clouds/token-bucket.ts'
import { virtualTime } from '../../clouds/virtual-time.ts'
import { admissions } from './admissions.ts'

/** Clouds of one account that lets one through at once, and then one each second. */
function given() {
  const time = virtualTime(0)
  const bucket = tokenBucket({ burst: 1, refillPerSecond: 1, ...time })
  const cloud = () => ({ admitCreate: (signal?: AbortSignal) => bucket.take(1, signal) })
  const all = admissions(time.now)
  const woken: string[] = []
  const ask = (uid: string, of: ReturnType<typeof cloud>) => all.ask(uid, of, () => woken.push(uid))
  return { passed: (ms: number) => time.until(time.sleep(ms)), cloud, all, woken, ask }
}

describe('admissions', () => {
  it('let VMs through in the order of asking, as fast as the account allows', async () => {
    const { passed, cloud, all, woken, ask } = given()
    const one = cloud()
    for (const uid of ['a', 'b', 'c', 'a']) ask(uid, one)
    expect(all.stateOf('a')).toEqual({ kind: 'queued', since: 0 })

    await passed(1_500)

    expect(woken).toEqual(['a', 'b'])
    expect([all.stateOf('b'), all.stateOf('c'), all.stateOf('d')].map(({ kind }) => kind)).toEqual([
      'granted',
      'queued',
      'notAsked',
    ])
    await passed(1_000)
    expect(woken).toEqual(['a', 'b', 'c'])
  })

  it('let the Credentials of an account take turns', async () => {
    const { passed, cloud, woken, ask } = given()
    const [one, other] = [cloud(), cloud()]
    for (const uid of ['a', 'b', 'c']) ask(uid, one)
    for (const uid of ['x', 'y', 'z']) ask(uid, other)

    await passed(6_000)

    expect(woken).toEqual(['a', 'x', 'b', 'y', 'c', 'z'])
  })

  it('spend nothing on those who left, and go on with those who come after', async () => {
    const { passed, cloud, all, woken, ask } = given()
    const one = cloud()
    for (const uid of ['a', 'b', 'c']) ask(uid, one)
    await passed(0)
    for (const uid of ['b', 'c']) all.close(uid)
    await passed(10_000)
    ask('d', one)
    await passed(0)

    expect(woken).toEqual(['a', 'd'])
    expect(all.stateOf('b')).toEqual({ kind: 'notAsked' })
  })

  it('are asked for anew once they were used', async () => {
    const { passed, cloud, all, woken, ask } = given()
    const one = cloud()
    ask('a', one)
    await passed(0)
    all.close('a')
    ask('a', one)
    await passed(2_000)

    expect(woken).toEqual(['a', 'a'])
    expect(all.stateOf('a')).toEqual({ kind: 'granted' })
  })
})
