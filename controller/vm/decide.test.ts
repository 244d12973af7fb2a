import { describe, expect, it } from 'vitest'
import { annotations, instanceTags } from '../../crds/names.ts'
import { decide } from './decide.ts'
import {
  givenInstance,
  givenIntent,
  givenSituation,
  givenVM,
  hourMs,
  now,
  readyAccess,
  seen,
  settledVM,
  uid,
} from './given.ts'
import { createToken } from './identity.ts'
import { type Recollection, withTags } from './recollection.ts'

const deleting = { deletionTimestamp: '2026-01-02T03:04:00Z', generation: 2 }
const rejected = { kind: 'notReady', reason: 'Rejected', message: 'AuthFailure.', stalled: true } as const
/** These tags have been set, or taken off, a moment ago. */
const tagging = (calls: Readonly<Record<string, string | undefined>>): Recollection => ({
  tagged: withTags({}, Object.entries(calls), now),
})

describe('a VM without an instance', () => {
  it('gets its finalizer before anything else', () => {
    const vm = givenVM({ metadata: { finalizers: [] } })

    expect(decide(givenSituation({ vm }))).toEqual({ kind: 'addFinalizer' })
  })

  it('is looked up by its tag before an instance is made', () => {
    const vm = givenVM()

    expect(decide(givenSituation({ vm }))).toEqual({ kind: 'look' })
    expect(decide(givenSituation({ vm, look: {} }))).toMatchObject({
      kind: 'create',
      intent: { token: createToken(vm, 0), incarnation: 0, attempt: 1 },
    })
  })

  it('takes the instance that carries its tag rather than making one, once it was asked for by its id', () => {
    const vm = givenVM()
    const sightings = [seen(givenInstance(vm, { state: 'pending' }))]
    const look = { id: { id: 'i-1', known: true } }

    expect(decide(givenSituation({ vm, sightings }))).toEqual({ kind: 'look', id: 'i-1' })
    expect(decide(givenSituation({ vm, sightings, look }))).toMatchObject({ kind: 'record', instance: { id: 'i-1' } })
  })

  it('waits for its turn at the account before it is looked up', () => {
    const vm = givenVM()

    expect(decide(givenSituation({ vm, admission: { kind: 'notAsked' } }))).toEqual({ kind: 'admit' })
    expect(decide(givenSituation({ vm, admission: { kind: 'queued', since: now - 1_000 } }))).toMatchObject({
      kind: 'listen',
    })
    expect(decide(givenSituation({ vm, admission: { kind: 'queued', since: now - 20_000 } }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'Queued', phase: 'progressing' },
    })
  })

  it('says what is wrong with its user data, and makes nothing', () => {
    const vm = givenVM()
    const missing = { kind: 'missing', message: 'There is no Secret x.' } as const
    const refused = { kind: 'refused', message: 'It is a Credential’s.' } as const

    expect(decide(givenSituation({ vm, look: {}, userData: { kind: 'unread' } }))).toEqual({ kind: 'readUserData' })
    expect(decide(givenSituation({ vm, look: {}, userData: missing }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'UserDataMissing', phase: 'progressing' },
    })
    expect(decide(givenSituation({ vm, look: {}, userData: refused }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'UserDataRefused', phase: 'stalled' },
    })
  })

  it('looks for user data that is not there yet soon, and less and less often', () => {
    const userData = { kind: 'missing', message: 'There is no Secret x.' } as const
    const lookedForAgain = (ageMs: number) => {
      const creationTimestamp = new Date(now - ageMs).toISOString()
      return decide(givenSituation({ vm: givenVM({ metadata: { creationTimestamp } }), look: {}, userData }))
    }

    expect(lookedForAgain(0)).toMatchObject({ againAfterMs: 1_000 })
    expect(lookedForAgain(20_000)).toMatchObject({ againAfterMs: 10_000 })
    expect(lookedForAgain(hourMs)).toMatchObject({ againAfterMs: 60_000 })
  })

  it('waits for its Credential, and makes nothing with one that is being deleted', () => {
    const vm = givenVM()

    expect(decide(givenSituation({ vm, access: rejected }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'Rejected', phase: 'stalled' },
    })
    expect(decide(givenSituation({ vm, look: {}, access: { ...readyAccess, deleting: true } }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'CredentialDeleting' },
    })
  })

  it('ends what is left of an earlier incarnation before it makes the next', () => {
    const vm = givenVM({ status: { incarnation: 1 } })
    const old = givenInstance(vm, { id: 'i-0', tags: { [instanceTags.vmUID]: uid, [instanceTags.incarnation]: '0' } })
    const ended = seen({ ...old, state: 'terminating' })

    expect(decide(givenSituation({ vm, look: {}, sightings: [seen(old)] }))).toEqual({
      kind: 'terminate',
      ids: ['i-0'],
      why: 'duplicate',
    })
    expect(decide(givenSituation({ vm, look: {}, sightings: [ended] })).kind).toBe('create')
  })

  it('is left alone after a failure that only a person can mend, until something changed', () => {
    const vm = givenVM()
    const recollection = { notBefore: { at: now + 60_000, generation: 1, accessVersion: 'key-1' } }
    const changedVM = givenVM({ metadata: { generation: 2 } })
    const changedKey = { ...readyAccess, version: 'key-2' }

    expect(decide(givenSituation({ vm, recollection }))).toEqual({
      kind: 'listen',
      expecting: false,
      againAfterMs: 60_000,
    })
    expect(decide(givenSituation({ vm: changedVM, recollection })).kind).toBe('look')
    expect(decide(givenSituation({ vm, recollection, access: changedKey })).kind).toBe('look')
  })
})

describe('a create whose outcome is not known', () => {
  const intended = (changes: Parameters<typeof givenIntent>[1]) => {
    const vm = givenVM()
    return givenVM({ status: { account: readyAccess.account, create: givenIntent(vm, changes) } })
  }
  const token = createToken(givenVM(), 0)

  it('is looked up by tag and token', () => {
    expect(decide(givenSituation({ vm: intended({}) }))).toEqual({ kind: 'look', token })
  })

  const asked = { token, id: { id: 'i-1', known: true } }

  it('is fulfilled by the instance that is found, once it was asked for by its id', () => {
    const vm = intended({})
    const sightings = [seen(givenInstance(vm))]

    expect(decide(givenSituation({ vm, sightings, look: { token } }))).toEqual({ kind: 'look', token, id: 'i-1' })
    expect(decide(givenSituation({ vm, sightings, look: asked }))).toMatchObject({ kind: 'record', how: 'found' })
  })

  it('is fulfilled by one that is gone only when nothing else can have been made', () => {
    const ended = seen(givenInstance(givenVM(), { state: 'terminated' }))
    const young = givenSituation({ vm: intended({ ageMs: 39_000 }), sightings: [ended], look: { token } })
    const old = givenSituation({ vm: intended({ ageMs: 40_000 }), sightings: [ended], look: { token } })

    expect(decide(young)).toMatchObject({ kind: 'wait', verdict: { reason: 'CreateUnresolved' } })
    expect(decide(old)).toMatchObject({ kind: 'record', how: 'found', instance: { state: 'terminated' } })
  })

  it('is fulfilled by an instance that lost its tag but has the token', () => {
    const vm = intended({})
    const sightings = [seen(givenInstance(vm, { tags: {} }))]

    expect(decide(givenSituation({ vm, sightings, look: asked })).kind).toBe('record')
  })

  it('is not repeated while a lookup may not show yet what it made', () => {
    // 5 s until it is sent, 20 s until it is given up, 10 s of lag, 5 s of clock skew
    const young = intended({ ageMs: 39_000 })
    const old = intended({ ageMs: 40_000 })

    expect(decide(givenSituation({ vm: young, look: { token } }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'CreateUnresolved' },
      againAfterMs: 1_000,
    })
    expect(decide(givenSituation({ vm: old, look: { token } }))).toMatchObject({
      kind: 'create',
      intent: { token, attempt: 2 },
    })
    expect(decide(givenSituation({ vm: old, look: { token, at: now - 1 } })).kind).toBe('wait')
  })

  it('is told sooner when the process lived to see its end', () => {
    const ended = (ageMs: number) => intended({ ageMs: 30_000, endedAt: new Date(now - ageMs).toISOString() })

    expect(decide(givenSituation({ vm: ended(14_999), look: { token } })).kind).toBe('wait')
    expect(decide(givenSituation({ vm: ended(15_000), look: { token } })).kind).toBe('create')
  })

  it('is believed to have made nothing only much later once its token may have expired', () => {
    const access = { ...readyAccess, guarantees: { ...readyAccess.guarantees, tokenValidityMs: 0 } }
    const vm = (ageMs: number) => intended({ ageMs })

    expect(decide(givenSituation({ vm: vm(40_000), access, look: { token } })).kind).toBe('wait')
    expect(decide(givenSituation({ vm: vm(339_000), access, look: { token } })).kind).toBe('wait')
    expect(decide(givenSituation({ vm: vm(340_000), access, look: { token } })).kind).toBe('create')
  })

  it('is waited for, and not repeated, where lookups are known to lag beyond their bound', () => {
    const vm = intended({ ageMs: hourMs })

    expect(decide(givenSituation({ vm, look: { token }, view: { lagging: true } }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'LookupLagging', phase: 'stalled' },
    })
  })

  it('is left alone when the Credential leads to another account', () => {
    const vm = givenVM({ status: { account: '999999999999', create: givenIntent(givenVM(), { ageMs: hourMs }) } })

    expect(decide(givenSituation({ vm, look: { token } }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'AccountChanged', phase: 'blind' },
    })
  })
})

describe('a VM with its instance', () => {
  const running = (options: Parameters<typeof settledVM>[0] = {}) => {
    const vm = settledVM(options)
    return { vm, instance: givenInstance(vm) }
  }

  it('is Ready, running or stopped, when it is as the spec wants it', () => {
    const { vm, instance } = running()
    const stopped = running({ spec: { powerState: 'Stopped' } })

    expect(decide(givenSituation({ vm, sightings: [seen(instance)] }))).toMatchObject({
      kind: 'wait',
      verdict: { phase: 'settled', reason: 'InstanceRunning' },
    })
    const sightings = [seen({ ...stopped.instance, state: 'stopped' })]
    expect(decide(givenSituation({ vm: stopped.vm, sightings }))).toMatchObject({
      kind: 'wait',
      verdict: { phase: 'settled', reason: 'InstanceStopped' },
    })
  })

  it('says nothing before there is a listing', () => {
    const { vm } = running()

    expect(decide(givenSituation({ vm, view: { listedAt: undefined } })).kind).toBe('listen')
  })

  it.each([
    ['running', 'Stopped', 'stop'],
    ['stopped', 'Running', 'start'],
    ['pending', 'Stopped', 'wait'],
    ['pending', 'Running', 'wait'],
    ['stopping', 'Running', 'wait'],
    ['stopping', 'Stopped', 'wait'],
  ] as const)('%s and wanted %s: %s', (state, powerState, kind) => {
    const { vm, instance } = running({ spec: { powerState }, metadata: { generation: 2 } })

    expect(decide(givenSituation({ vm, sightings: [seen({ ...instance, state })] }))).toMatchObject({ kind })
  })

  it('knows a change that nobody asked for from one that the spec asks for', () => {
    const outside = running()
    const asked = { ...outside, vm: { ...outside.vm, metadata: { ...outside.vm.metadata, generation: 2 } } }
    const sightings = [seen({ ...outside.instance, state: 'stopped' })]

    expect(decide(givenSituation({ vm: outside.vm, sightings }))).toEqual({ kind: 'start', id: 'i-1', outside: true })
    expect(decide(givenSituation({ vm: asked.vm, sightings }))).toEqual({ kind: 'start', id: 'i-1', outside: false })
  })

  it('does not repeat a call whose effect is not shown yet', () => {
    const { vm, instance } = running()
    const recollection = { power: { kind: 'start', at: now - 5_000 } } as const
    const early = [seen({ ...instance, state: 'stopped' }, now - 1_000)]
    const late = [seen({ ...instance, state: 'stopped' }, now + 5_000)]

    expect(decide(givenSituation({ vm, sightings: early, recollection }))).toMatchObject({
      kind: 'wait',
      expecting: true,
      verdict: { reason: 'Starting' },
    })
    expect(decide(givenSituation({ vm, sightings: late, recollection })).kind).toBe('start')
  })

  it('does not believe a difference that may be older than what it has seen', () => {
    const { vm, instance } = running()
    const justNow = (vm.status?.conditions ?? []).map((one) => ({
      ...one,
      lastTransitionTime: new Date(now - 5_000).toISOString(),
    }))
    const justSettled = { ...vm, status: { ...vm.status, conditions: justNow } }
    const sightings = [seen({ ...instance, state: 'pending' })]

    expect(decide(givenSituation({ vm: justSettled, sightings }))).toMatchObject({ kind: 'listen', expecting: true })
  })

  it('has its type changed while it is stopped, and says what to do while it runs', () => {
    const { vm, instance } = running({ spec: { instanceType: 't3.large' }, metadata: { generation: 2 } })
    const small = { ...instance, instanceType: 't3.micro' }

    expect(decide(givenSituation({ vm, sightings: [seen(small)] }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'StopRequired', drift: { reason: 'InstanceType' } },
    })
    expect(decide(givenSituation({ vm, sightings: [seen({ ...small, state: 'stopped' })] }))).toMatchObject({
      kind: 'resize',
      instanceType: 't3.large',
    })
  })

  it('has tags put back, new ones set after their keys are remembered, and old ones taken off', () => {
    const { vm, instance } = running({ spec: { tags: { team: 'a' } } })
    const untagged = { ...instance, tags: { ...instance.tags, [instanceTags.vmUID]: 'other' } }
    const fresh = settledVM({ spec: { tags: { team: 'a', tier: 'web' } }, status: { tagKeys: ['team'] } })
    const surplus = settledVM({ status: { tagKeys: ['team'] } })
    const named = { status: { ...vm.status } }

    expect(decide(givenSituation({ vm: { ...vm, ...named }, sightings: [seen(untagged)] }))).toEqual({
      kind: 'tag',
      id: 'i-1',
      tags: { [instanceTags.vmUID]: uid },
      outside: true,
    })
    expect(decide(givenSituation({ vm: fresh, sightings: [seen(instance)] }))).toEqual({
      kind: 'recordTagKeys',
      tagKeys: ['team', 'tier'],
    })
    expect(decide(givenSituation({ vm: surplus, sightings: [seen(instance)] }))).toEqual({
      kind: 'untag',
      id: 'i-1',
      keys: ['team'],
    })
  })

  it('has old tags taken off though the new ones are not shown yet', () => {
    const vm = settledVM({ spec: { tags: { tier: 'web' } }, status: { tagKeys: ['team', 'tier'] } })
    const sightings = [
      seen(givenInstance(settledVM({}), { tags: { ...givenInstance(vm).tags, team: 'a', tier: 'old' } })),
    ]

    expect(decide(givenSituation({ vm, sightings })).kind).toBe('tag')
    expect(decide(givenSituation({ vm, sightings, recollection: tagging({ tier: 'web' }) }))).toMatchObject({
      kind: 'untag',
      keys: ['team'],
    })
    const both = tagging({ tier: 'web', team: undefined })
    expect(decide(givenSituation({ vm, sightings, recollection: both }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'Tagging' },
    })
  })

  it('has a tag that was changed again set at once, though the change before is not shown yet', () => {
    const vm = settledVM({ spec: { tags: { tier: 'third' } }, status: { tagKeys: ['tier'] } })
    const shown = (tier: string) => [seen(givenInstance(vm, { tags: { ...givenInstance(vm).tags, tier } }))]
    const recollection = tagging({ tier: 'second' })

    for (const sightings of [shown('first'), shown('third')])
      expect(decide(givenSituation({ vm, sightings, recollection }))).toMatchObject({
        kind: 'tag',
        tags: { tier: 'third' },
      })
    const done = tagging({ tier: 'third' })
    expect(decide(givenSituation({ vm, sightings: shown('first'), recollection: done })).kind).toBe('wait')
  })

  it('has a tag taken off that was set a moment ago and is not shown yet', () => {
    const vm = settledVM({ status: { tagKeys: ['tier'] } })
    const recollection = tagging({ tier: 'web' })

    expect(decide(givenSituation({ vm, sightings: [seen(givenInstance(vm))], recollection }))).toMatchObject({
      kind: 'untag',
      keys: ['tier'],
    })
  })

  it('keeps the instance that its status names and ends any other that carries its tag', () => {
    const { vm, instance } = running()
    const sightings = [seen(instance), seen({ ...instance, id: 'i-2' })]

    expect(decide(givenSituation({ vm, sightings }))).toEqual({ kind: 'terminate', ids: ['i-2'], why: 'duplicate' })
    expect(decide(givenSituation({ vm, sightings, recollection: { terminatedAt: { 'i-2': now } } })).kind).toBe('wait')
  })

  it('takes nothing for a duplicate while its own instance is not shown, and the one that carries its tag once it is known to be gone', () => {
    const { vm, instance } = running()
    const other = { ...instance, id: 'i-2' }
    const wrong = { ...vm, status: { ...vm.status, instanceID: 'i-wrong' } }
    const given = (look?: object) =>
      decide(givenSituation({ vm: wrong, sightings: [seen(other)], ...(look && { look }) }))

    expect(given()).toEqual({ kind: 'look', id: 'i-wrong' })
    expect(given({ id: { id: 'i-wrong', known: false } })).toEqual({ kind: 'look', id: 'i-2' })
    expect(given({ id: { id: 'i-2', known: true } })).toMatchObject({ kind: 'record', instance: { id: 'i-2' } })
  })

  it('says that the instance is gone, or makes another one, as replacePolicy says', () => {
    const never = running()
    const again = running({ spec: { replacePolicy: 'OnTermination' } })
    const gone = { state: 'terminated', stateReason: 'Server.SpotInstanceTermination: reclaimed' } as const

    expect(decide(givenSituation({ vm: never.vm, sightings: [seen({ ...never.instance, ...gone })] }))).toMatchObject({
      kind: 'wait',
      verdict: { reason: 'InstanceGone', phase: 'stalled' },
    })
    expect(decide(givenSituation({ vm: again.vm, sightings: [seen({ ...again.instance, ...gone })] }))).toMatchObject({
      kind: 'replace',
      verdict: { reason: 'SpotInterrupted' },
    })
  })

  it('takes an instance that never ran for a create that was refused, whatever replacePolicy says', () => {
    const { vm, instance } = running()
    const launchFailure = { class: 'capacity', message: 'No room.', remedy: 'Wait.' } as const
    const failed = { ...instance, state: 'terminated', stateReason: 'it could not be launched', launchFailure } as const

    expect(decide(givenSituation({ vm, sightings: [seen(failed)] }))).toEqual({
      kind: 'relaunch',
      failure: launchFailure,
    })
  })

  it('repeats a create in the zone that stands in its intent', () => {
    const vm = givenVM()
    const intent = givenIntent(vm, { ageMs: 120_000, zone: 'us-central1-b' })
    const unresolved = { ...vm, status: { create: intent } }

    expect(decide(givenSituation({ vm: unresolved, look: { token: intent.token } }))).toMatchObject({
      kind: 'create',
      intent: { zone: 'us-central1-b', attempt: 2, firstStartedAt: intent.firstStartedAt },
    })
  })

  it('does not replace in a loop what dies at once', () => {
    const launchTime = new Date(now - 10_000).toISOString()
    const vm = settledVM({ spec: { replacePolicy: 'OnTermination' }, status: { incarnation: 3, launchTime } })
    const sightings = [seen(givenInstance(vm, { state: 'terminated', launchTime }))]

    expect(decide(givenSituation({ vm, sightings }))).toMatchObject({ kind: 'wait', againAfterMs: 95_000 })
  })

  it('takes a missing instance for lag at first, then asks by id, and believes it only after a while', () => {
    const { vm } = running()
    const launchedAgo = (ageMs: number) => {
      const launchTime = new Date(now - ageMs).toISOString()
      return { ...vm, status: { ...vm.status, launchTime } }
    }
    const look = { id: { id: 'i-1', known: false } }

    expect(decide(givenSituation({ vm: launchedAgo(5_000) }))).toMatchObject({ kind: 'listen', againAfterMs: 11_000 })
    expect(decide(givenSituation({ vm: launchedAgo(20_000) }))).toEqual({ kind: 'look', id: 'i-1' })
    expect(decide(givenSituation({ vm: launchedAgo(20_000), look }))).toMatchObject({
      kind: 'listen',
      expecting: true,
      againAfterMs: 30_000,
    })
    // five minutes of patience, a second of rounding, five of clock skew
    expect(decide(givenSituation({ vm: launchedAgo(306_000), look }))).toMatchObject({
      verdict: { reason: 'InstanceGone' },
    })
  })

  it('is blind, and does nothing, while the Credential is rejected or for another account', () => {
    const { vm, instance } = running()
    const sightings = [seen({ ...instance, state: 'stopped' })]
    const other = { ...readyAccess, account: '999999999999' }

    expect(decide(givenSituation({ vm, sightings, access: rejected }))).toMatchObject({
      kind: 'wait',
      verdict: { phase: 'blind', reason: 'Rejected' },
    })
    expect(decide(givenSituation({ vm, sightings, access: other }))).toMatchObject({
      kind: 'wait',
      verdict: { phase: 'blind', reason: 'AccountChanged' },
    })
  })

  it('is left alone while it is paused, even if it is being deleted', () => {
    const metadata = { annotations: { [annotations.paused]: 'true' }, ...deleting }
    const vm = settledVM({ metadata })

    expect(decide(givenSituation({ vm, sightings: [seen(givenInstance(vm))] }))).toEqual({ kind: 'pause' })
  })
})

describe('a VM that adopts', () => {
  const vm = givenVM({ spec: { adopt: { instanceID: 'i-9' } } })

  it('takes over the instance that the cloud has under another name of it', () => {
    const named = givenVM({ spec: { adopt: { instanceID: 'sim-1a/web' } } })
    const instance = givenInstance(named, { id: 'i-9', tags: {}, token: '' })
    const look = { id: { id: 'sim-1a/web', known: true, found: { id: 'i-9', name: 'web' } } }

    expect(decide(givenSituation({ vm: named, sightings: [seen(instance)], look }))).toMatchObject({
      kind: 'record',
      how: 'adopted',
      instance: { id: 'i-9' },
    })
  })
  const found = givenInstance(vm, { id: 'i-9', tags: {}, token: '' })
  const look = { id: { id: 'i-9', known: true } }

  it('takes over an instance that is nobody’s', () => {
    expect(decide(givenSituation({ vm }))).toEqual({ kind: 'look', id: 'i-9' })
    expect(decide(givenSituation({ vm, look, sightings: [seen(found)] }))).toMatchObject({
      kind: 'record',
      how: 'adopted',
    })
  })

  it.each([
    ['does not exist', [], { id: { id: 'i-9', known: false } }, undefined, 'AdoptNotFound'],
    ['is terminated', [seen({ ...found, state: 'terminated' })], look, undefined, 'AdoptNotFound'],
    [
      'carries another VM’s tag',
      [seen({ ...found, tags: { [instanceTags.vmUID]: 'x' } })],
      look,
      undefined,
      'AdoptRefused',
    ],
    ['is named by another VM', [seen(found)], look, 'team-b/web', 'AdoptRefused'],
    ['is another VM’s, so that it is not among the sightings', [], look, 'team-b/web', 'AdoptRefused'],
  ] as const)('refuses one that %s', (_, sightings, lookup, rival, reason) => {
    const situation = givenSituation({ vm, look: lookup, sightings, ...(rival ? { rival } : {}) })

    expect(decide(situation)).toMatchObject({ kind: 'wait', verdict: { reason, phase: 'stalled' } })
  })

  it('lets go without a call when it is deleted before it took anything over', () => {
    const refused = givenVM({ spec: { adopt: { instanceID: 'i-9' } }, metadata: deleting })

    expect(decide(givenSituation({ vm: refused })).kind).toBe('removeFinalizer')
  })
})

describe('a VM that is being deleted', () => {
  const vm = settledVM({ metadata: deleting })
  const instance = givenInstance(vm)

  it('has its instance terminated, waits until the cloud says so, and looks for others before it goes', () => {
    const terminating = [seen({ ...instance, state: 'terminating' })]
    const terminated = [seen({ ...instance, state: 'terminated' })]

    expect(decide(givenSituation({ vm, sightings: [seen(instance)] }))).toEqual({
      kind: 'terminate',
      ids: ['i-1'],
      why: 'deleted',
    })
    expect(decide(givenSituation({ vm, sightings: terminating }))).toMatchObject({ kind: 'wait', expecting: true })
    expect(decide(givenSituation({ vm, sightings: terminated }))).toEqual({ kind: 'look' })
    expect(decide(givenSituation({ vm, sightings: terminated, look: {} })).kind).toBe('removeFinalizer')
  })

  it('terminates every instance that carries its tag', () => {
    const sightings = [seen({ ...instance, state: 'terminated' }), seen({ ...instance, id: 'i-2' })]

    expect(decide(givenSituation({ vm, sightings, look: {} }))).toMatchObject({ kind: 'terminate', ids: ['i-2'] })
  })

  it('believes that an instance is gone that the cloud does not know, but not soon after its launch', () => {
    const launchTime = new Date(now - 5_000).toISOString()
    const young = { ...vm, status: { ...vm.status, launchTime } }
    const look = { id: { id: 'i-1', known: false } }

    expect(decide(givenSituation({ vm }))).toEqual({ kind: 'look', id: 'i-1' })
    expect(decide(givenSituation({ vm, look })).kind).toBe('removeFinalizer')
    expect(decide(givenSituation({ vm: young, look })).kind).toBe('wait')
  })

  it('waits for the outcome of a create, by tag and token, before it believes that there never was an instance', () => {
    const intent = (ageMs: number) => ({ create: givenIntent(vm, { ageMs }), account: readyAccess.account })
    const young = givenVM({ metadata: deleting, status: intent(39_000) })
    const old = givenVM({ metadata: deleting, status: intent(40_000) })
    const token = createToken(vm, 0)

    expect(decide(givenSituation({ vm: young }))).toEqual({ kind: 'look', token })
    expect(decide(givenSituation({ vm: young, look: { token } })).kind).toBe('wait')
    expect(decide(givenSituation({ vm: old, look: { token } })).kind).toBe('removeFinalizer')
    expect(decide(givenSituation({ vm: old, look: { token }, view: { lagging: true } })).kind).toBe('wait')
    expect(decide(givenSituation({ vm: young, sightings: [seen(instance)] })).kind).toBe('terminate')
  })

  it('waits for its Credential, unless nothing was ever asked for', () => {
    const never = givenVM({ metadata: deleting })

    expect(decide(givenSituation({ vm, access: rejected }))).toMatchObject({
      kind: 'wait',
      verdict: { phase: 'blind', reason: 'Rejected' },
    })
    expect(decide(givenSituation({ vm: never, access: rejected })).kind).toBe('removeFinalizer')
  })

  it('only loses its tags when the policy is Orphan', () => {
    const orphan = settledVM({ metadata: deleting, spec: { deletionPolicy: 'Orphan' } })
    const bare = { ...instance, tags: { Name: 'web-1' } }

    expect(decide(givenSituation({ vm: orphan, sightings: [seen(instance)] }))).toEqual({
      kind: 'release',
      ids: ['i-1'],
    })
    expect(decide(givenSituation({ vm: orphan, sightings: [seen(bare)], look: {} })).kind).toBe('removeFinalizer')
  })

  it('is no business of ours once the finalizer is gone', () => {
    expect(decide(givenSituation({ vm: givenVM({ metadata: { ...deleting, finalizers: [] } }) }))).toEqual({
      kind: 'nothing',
    })
  })
})
