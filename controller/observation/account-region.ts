/**
 * The eyes on one account and region: one listing for all the VMs in it, however many Credentials lead there.
 *
 * Every `intervalMs` it pages through everything that carries the installation's tag, compares it with what was there
 * before, and tells what changed. After a mutation the instances that it concerns are looked at again soon (`follow-ups.ts`),
 * two hundred a call. So the number of calls follows from the number of pages and of changes, not of VMs.
 *
 * It lists with the identity of any of the Credentials, and with another one after a failure.
 */
import type { Cloud, Instance } from '../../clouds/cloud.ts'
import { isCloudError } from '../../clouds/cloud-error.ts'
import { type ErrorClass, errorClasses } from '../../clouds/error-classes.ts'
import { instanceTags } from '../../crds/names.ts'
import { backoffMs } from '../../kube/backoff.ts'
import { type Clock, sleep } from '../../kube/clock.ts'
import { silenceWords } from '../silence-words.ts'
import { followUps } from './follow-ups.ts'
import { type Sighting, snapshot } from './snapshot.ts'

export interface AccountRegion {
  readonly place: Place
  /** Those that carry the VM's UID, and those with these ids. */
  sightingsOf(uid: string, ids: readonly string[]): readonly Sighting[]
  all(): Iterable<Sighting>
  /** When the last complete listing began; `undefined` before there is one. */
  readonly listedAt: number | undefined
  /** A listing has lacked an instance that was there all the time, not long ago. */
  readonly isLagging: boolean
  /** Why there has been no listing for long. */
  readonly problem: Problem | undefined
  /** Takes in what another read, or a mutation's answer, showed. */
  note(instances: readonly Instance[], at: number): void
  /** What is known of this VM may be gone since: the cloud is asked by id. */
  askAgain(uid: string, cloud: Cloud): Promise<void>
  /** Asked by id, the cloud showed this instance, though the listing lacks it. */
  noteUnlisted(instance: Instance): void
  /** Something is about to change for this VM; with `restart`, because it was just told to. */
  expect(uid: string, options?: { readonly restart?: boolean }): void
  met(uid: string): void
  /** This VM counts on the listing; its Credential may be used for it. */
  use(uid: string, credential: string, cloud: Cloud): void
  leave(uid: string): void
  /** Since when nobody uses it. */
  readonly unusedSince: number | undefined
  readonly users: ReadonlySet<string>
  /** By the Credential (`namespace/name`) whose identity it has. */
  readonly clouds: ReadonlyMap<string, Cloud>
  /** How many instances are known. */
  readonly size: number
  readonly done: Promise<void>
}

export interface Place {
  readonly provider: string
  readonly account: string
  readonly region: string
}

export interface Problem {
  readonly class: ErrorClass
  readonly message: string
  /** What to do about it. */
  readonly remedy: string
}

export interface AccountRegionOptions {
  readonly place: Place
  readonly clusterUID: string
  readonly lagMs: number
  readonly maxFilterValues: number
  readonly intervalMs: number
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number
  readonly random: () => number
  /** New, changed, or not there any more. */
  readonly onChanged: (instance: Instance) => void
  /** A complete listing was taken in. */
  readonly onListed: () => void
  /** What is known of all VMs changed: there is a first listing, or there has been none for long, or one again. */
  readonly onSight: (users: Iterable<string>) => void
  readonly onFailed: (error: unknown) => void
}

/** For how long a listing that lagged beyond its bound is not trusted to decide about creates. */
const DISTRUST_MS = 10 * 60_000
/** Failures that last longer than this, or five intervals, are told. */
const PATIENCE_MS = 5 * 60_000

export function accountRegion(options: AccountRegionOptions): AccountRegion {
  const { place, clusterUID, lagMs, intervalMs, maxFilterValues, signal, clock, wallClock, random } = options
  const known = snapshot({ ownerTag: instanceTags.vmUID, lagMs })
  const soon = followUps({ now: () => clock.now(), longestMs: intervalMs })
  const users = new Set<string>()
  const clouds = new Map<string, Cloud>()
  let listedAt: number | undefined
  let unusedSince: number | undefined = wallClock()
  let distrustedUntil = 0
  let failures = 0
  let failing: { readonly since: number; readonly problem: Problem } | undefined
  /** The problem has been told. */
  let isBlind = false
  let nextListingAt = clock.now()
  let sleepingUntil = 0
  let nudge = new AbortController()

  function pickCloud(): readonly [string, Cloud] | undefined {
    const [first] = clouds
    return first
  }

  async function listAll(cloud: Cloud): Promise<void> {
    const at = wallClock()
    const shown = new Set<string>()
    for await (const page of cloud.list({ kind: 'tag', key: instanceTags.cluster, values: [clusterUID] }, signal)) {
      for (const { id } of page) shown.add(id)
      tell(known.note(page, at))
    }
    tell(known.listed(shown, at))
    const sight = listedAt === undefined || isBlind
    listedAt = at
    failures = 0
    failing = undefined
    isBlind = false
    options.onListed()
    if (sight) options.onSight(users)
  }

  async function lookAgain(cloud: Cloud, uids: readonly string[]): Promise<void> {
    for (let from = 0; from < uids.length; from += maxFilterValues) {
      const values = uids.slice(from, from + maxFilterValues)
      const at = wallClock()
      const shown = new Set<string>()
      for await (const page of cloud.list({ kind: 'tag', key: instanceTags.vmUID, values }, signal)) {
        for (const { id } of page) shown.add(id)
        tell(known.note(page, at))
      }
      for (const uid of values) await askWhatBecameOf(cloud, uid, shown)
    }
  }

  /** A cloud may list nothing that is gone and yet say, asked by id, that it is; what that is not, only lags. */
  async function askWhatBecameOf(cloud: Cloud, uid: string, shown: ReadonlySet<string>): Promise<void> {
    for (const { instance } of known.ownedBy(uid)) {
      if (instance.state === 'terminated' || shown.has(instance.id)) continue
      const at = wallClock()
      const found = await cloud.get(instance.id, signal)
      if (found?.state !== 'terminated') continue
      const { state, stateReason, launchFailure } = found
      const end = { state, stateReason, publicIP: '', privateIP: '', ...(launchFailure && { launchFailure }) }
      tell(known.note([{ ...instance, ...end }], at))
    }
  }

  function tell(changed: readonly Instance[]): void {
    for (const instance of changed) options.onChanged(instance)
  }

  async function round(): Promise<void> {
    const picked = pickCloud()
    if (!picked) return
    const [credential, cloud] = picked
    try {
      if (clock.now() >= nextListingAt) {
        await listAll(cloud)
        nextListingAt = clock.now() + intervalMs * (0.9 + 0.2 * random())
      } else {
        await lookAgain(cloud, soon.takeDue())
      }
    } catch (error) {
      if (signal.aborted) return
      failed(credential, cloud, error)
    }
  }

  function failed(credential: string, cloud: Cloud, error: unknown): void {
    failures++
    const since = failing?.since ?? wallClock()
    failing = { since, problem: problemOf(error, since) }
    if (clouds.delete(credential)) clouds.set(credential, cloud) // the others' turn first
    const slow = errorClasses[failing.problem.class].retry === 'slow' && failures >= clouds.size
    const waitMs = slow ? intervalMs : backoffMs(failures, { baseMs: 500, maxMs: intervalMs, random })
    nextListingAt = clock.now() + waitMs
    options.onFailed(error)
    if (isBlind || !problem()) return
    isBlind = true
    options.onSight(users)
  }

  function problem(): Problem | undefined {
    if (!failing) return undefined
    const patience = listedAt === undefined ? 0 : Math.max(PATIENCE_MS, 5 * intervalMs)
    return wallClock() - (listedAt ?? failing.since) >= patience ? failing.problem : undefined
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const dueAt = clouds.size === 0 ? Number.POSITIVE_INFINITY : Math.min(nextListingAt, soon.nextAt() ?? Infinity)
      const waitMs = dueAt - clock.now()
      sleepingUntil = dueAt
      if (waitMs > 0) await sleep(clock, Math.min(waitMs, 2 ** 30), nudge.signal).catch(() => undefined)
      else await round()
      if (nudge.signal.aborted) nudge = new AbortController()
    }
  }

  function wakeUp(): void {
    nudge.abort()
  }
  signal.addEventListener('abort', wakeUp, { once: true })

  return {
    place,
    sightingsOf(uid, ids) {
      const owned = known.ownedBy(uid)
      const named = ids.filter((id) => !owned.some(({ instance }) => instance.id === id))
      return named.length === 0 ? owned : [...owned, ...named.flatMap((id) => known.get(id) ?? [])]
    },
    all: () => known.all(),
    get listedAt() {
      return listedAt
    },
    get isLagging() {
      return wallClock() < distrustedUntil
    },
    get problem() {
      return problem()
    },
    note: (instances, at) => tell(known.note(instances, at)),
    askAgain: (uid, cloud) => askWhatBecameOf(cloud, uid, new Set()),
    noteUnlisted(instance) {
      if (instance.tags[instanceTags.cluster] === clusterUID) distrustedUntil = wallClock() + DISTRUST_MS
    },
    expect(uid, expectOptions) {
      soon.expect(uid, expectOptions)
      if ((soon.nextAt() ?? sleepingUntil) < sleepingUntil) wakeUp()
    },
    met: (uid) => soon.met(uid),
    use(uid, credential, cloud) {
      users.add(uid)
      unusedSince = undefined
      if (clouds.get(credential) === cloud) return
      const wasBlind = clouds.size === 0
      clouds.set(credential, cloud)
      if (wasBlind) wakeUp()
    },
    leave(uid) {
      soon.met(uid)
      if (users.delete(uid) && users.size === 0) unusedSince = wallClock()
    },
    get unusedSince() {
      return unusedSince
    },
    users,
    clouds,
    get size() {
      return known.size
    },
    done: run(),
  }
}

function problemOf(error: unknown, since: number): Problem {
  if (isCloudError(error)) {
    const silence = error.unanswered ? `${silenceWords(since)} ` : ''
    return { class: error.class, message: `${silence}${error.message}`, remedy: error.remedy }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { class: 'unknown', message, remedy: errorClasses.unknown.remedy }
}
