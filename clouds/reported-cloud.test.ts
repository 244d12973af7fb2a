import { describe, expect, it } from 'vitest'
import { type CallReport, reportedCloud } from './reported-cloud.ts'
import { inProcess } from './sim/exchange.ts'
import { createSim } from './sim/sim.ts'
import { simCloud } from './sim/sim-cloud.ts'
import { virtualTime } from './virtual-time.ts'

function world() {
  const time = virtualTime()
  const sim = createSim({ now: time.now, random: chanceOf() })
  const transport = inProcess(sim, time)
  const reports: CallReport[] = []
  const inner = simCloud({ transport, accessKey: 'AKIA', secretKey: 's', region: 'sim-1', sleep: time.sleep })
  const cloud = reportedCloud(inner, (report) => reports.push(report), time.now)
  const told = () => reports.map(({ action, outcome, instances }) => `${action} of ${instances}: ${outcome}`)
  return { time, sim, cloud, told }
}

/** The same each time, and no id twice: a small generator of numbers (Lehmer's). */
function chanceOf() {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

describe('a cloud that is reported', () => {
  it('tells of each call what it was, about how many, and how it ended', async () => {
    const { time, sim, cloud, told } = world()
    const { id = '' } = sim.outside({ action: 'launch' })[0] ?? {}

    await time.until(cloud.verify())
    await time.until(cloud.get(id))
    await time.until(cloud.terminate([id]))
    await expect(time.until(cloud.start(['i-0', id]))).rejects.toThrow()

    expect(told()).toEqual(['verify of 0: ok', 'list of 0: ok', 'terminate of 1: ok', 'start of 2: invalid'])
  })

  it('tells of every page of a list', async () => {
    const { time, sim, cloud, told } = world()
    for (let count = 0; count < 1_001; count++) sim.outside({ action: 'launch' })
    const pages: number[] = []
    const listing = (async () => {
      for await (const page of cloud.list({ kind: 'all' })) pages.push(page.length)
    })()

    await time.until(listing)

    expect(pages).toEqual([1_000, 1])
    expect(told()).toEqual(['list of 0: ok', 'list of 0: ok'])
  })

  it('tells of a call that its caller gave up as aborted', async () => {
    const { time, cloud, told } = world()

    await expect(time.until(cloud.verify(AbortSignal.abort(new Error('not any more'))))).rejects.toThrow('not any more')

    expect(told()).toEqual(['verify of 0: aborted'])
  })
})
