import { describe, expect, it } from 'vitest'
import { instanceTags } from '../../crds/names.ts'
import { decide } from './decide.ts'
import { givenInstance, givenSituation, givenVM, now, type SituationOptions, seen } from './given.ts'

const former = '99999999-9999-4999-8999-999999999999'
const vm = givenVM()
/** Of the same VM before the restore: another UID, another cluster, and not its first instance. */
const earlier = givenInstance(vm, {
  id: 'i-earlier',
  token: 'skyclust-33333333-3333-4333-8333-333333333333-2',
  tags: {
    ...givenInstance(vm).tags,
    [instanceTags.vmUID]: '33333333-3333-4333-8333-333333333333',
    [instanceTags.cluster]: former,
    [instanceTags.incarnation]: '2',
  },
})
const looked: SituationOptions = { vm, formerClusters: [former], look: { at: now }, sightings: [seen(earlier)] }

describe('a VM that came back with a restore', () => {
  it('looks before anything is made', () => {
    expect(decide(givenSituation({ vm, formerClusters: [former] }))).toEqual({ kind: 'look' })
  })

  it('takes over the instance that was made for it in the cluster before', () => {
    expect(decide(givenSituation(looked))).toMatchObject({
      kind: 'record',
      instance: { id: 'i-earlier' },
      how: 'restored',
    })
  })

  it('does not touch it unless the operator said that this cluster has taken the place of that one', () => {
    expect(decide(givenSituation({ ...looked, formerClusters: [] }))).toMatchObject({ kind: 'create' })
    const another = '88888888-8888-4888-8888-888888888888'
    expect(decide(givenSituation({ ...looked, formerClusters: [another] }))).toMatchObject({ kind: 'create' })
  })

  it('is of no interest to a VM of another name', () => {
    const other = givenVM({ metadata: { name: 'web-2' } })
    expect(decide(givenSituation({ ...looked, vm: other }))).toMatchObject({ kind: 'create' })
  })

  it('waits for a person where there were two, and ends neither', () => {
    const twin = { ...earlier, id: 'i-twin' }
    const action = decide(givenSituation({ ...looked, sightings: [seen(earlier), seen(twin)] }))
    expect(action).toMatchObject({ kind: 'wait', verdict: { phase: 'stalled', reason: 'SeveralInstances' } })
  })

  it('makes one where the earlier one is gone', () => {
    const gone = { ...earlier, state: 'terminated' as const }
    expect(decide(givenSituation({ ...looked, sightings: [seen(gone)] }))).toMatchObject({ kind: 'create' })
  })

  it('takes it over first when it is deleted at once, so that the instance does not stay', () => {
    const deleted = givenVM({ metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' } })
    expect(decide(givenSituation({ ...looked, vm: deleted }))).toMatchObject({ kind: 'record', how: 'restored' })
  })

  it('may name it in spec.adopt as well', () => {
    const adopting = givenVM({ spec: { adopt: { instanceID: 'i-earlier' } } })
    const look = { at: now, id: { id: 'i-earlier', known: true } }
    expect(decide(givenSituation({ ...looked, vm: adopting, look }))).toMatchObject({ kind: 'record', how: 'adopted' })
  })
})
