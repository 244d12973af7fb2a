import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openJournal } from './journal.ts'
import { createSim } from './sim.ts'

describe('openJournal', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'journal-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  /** A life of the simulated cloud with the journal at that path. */
  function life(name = 'state') {
    const journal = openJournal(join(directory, name))
    const sim = createSim({
      now: () => 1_000_000,
      random: Math.random,
      settings: { pendingMs: 0, terminatingMs: 0 },
      ...journal,
    })
    return { sim, end: journal.close }
  }

  it('begins empty, and gives back what was there when it is opened again', () => {
    const first = life()
    expect(first.sim.instances()).toEqual([])
    const [launched] = first.sim.outside({ action: 'launch', tags: { a: '1' } })
    first.sim.outside({ action: 'tag', ids: [launched?.id ?? ''], tags: { b: '2' } })
    first.end()

    const second = life()

    expect(second.sim.instances()).toMatchObject([{ id: launched?.id, tags: { a: '1', b: '2' } }])
    second.end()
  })

  it('does without the line that a killed process left half written', () => {
    const first = life()
    first.sim.outside({ action: 'launch' })
    first.end()
    appendFileSync(join(directory, 'state'), '{"kind":"machine","mach')

    const second = life()

    expect(second.sim.instances()).toHaveLength(1)
    second.end()
  })

  it('is rewritten to what is still true when it is opened', () => {
    const first = life()
    const [launched] = first.sim.outside({ action: 'launch' })
    for (let n = 0; n < 50; n++) first.sim.outside({ action: 'tag', ids: [launched?.id ?? ''], tags: { n: `${n}` } })
    first.end()

    life().end()

    expect(readFileSync(join(directory, 'state'), 'utf8').trim().split('\n')).toHaveLength(1)
  })

  it('forgets with the cloud that was told to', () => {
    const first = life()
    first.sim.outside({ action: 'launch' })
    first.sim.reset()
    first.end()

    const second = life()

    expect(second.sim.instances({ state: 'all' })).toEqual([])
    second.end()
  })
})
