/**
 * What is known of the instances of one account and region, put together from listings, lookups and answers, each with
 * the moment at which its read began.
 *
 * Guarantees: a read that began earlier never replaces a later one; what was once terminated stays so, whatever a
 * lagging read shows; an instance that a listing lacks is kept for `lagMs` after it was last shown, as the
 * listing may be older than it.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Instance } from '../../clouds/cloud.ts'

/** An instance as it was shown. */
export interface Sighting {
  readonly instance: Instance
  /** When the read that showed it began, in milliseconds since the epoch. What it showed may be older by the lag. */
  readonly at: number
}

export interface Snapshot {
  /** By id. */
  get(id: string): Sighting | undefined
  /** Everything that carries this value of the owner's tag. */
  ownedBy(owner: string): readonly Sighting[]
  all(): Iterable<Sighting>
  readonly size: number
  /** Takes in what one read showed; gives those that are new or changed. */
  note(instances: readonly Instance[], at: number): readonly Instance[]
  /** Takes in that a complete listing began at this time; gives those that it no longer has. */
  listed(shown: ReadonlySet<string>, at: number): readonly Instance[]
}

export interface SnapshotOptions {
  /** The tag that says whose an instance is. */
  readonly ownerTag: string
  /** How much earlier than it began a read may show things. */
  readonly lagMs: number
}

export function snapshot({ ownerTag, lagMs }: SnapshotOptions): Snapshot {
  const byId = new Map<string, { instance: Instance; at: number }>()
  const byOwner = new Map<string, Set<string>>()

  function put(instance: Instance, at: number): boolean {
    const known = byId.get(instance.id)
    if (!known) {
      byId.set(instance.id, { instance, at })
      own(instance)
      return true
    }
    if (at < known.at) return false
    known.at = at
    const resurrected = known.instance.state === 'terminated' && instance.state !== 'terminated'
    if (resurrected || isDeepStrictEqual(known.instance, instance)) return false
    disown(known.instance)
    known.instance = instance
    own(instance)
    return true
  }

  function own({ id, tags }: Instance): void {
    const owner = tags[ownerTag]
    if (owner === undefined) return
    const ids = byOwner.get(owner)
    if (ids) ids.add(id)
    else byOwner.set(owner, new Set([id]))
  }

  function disown({ id, tags }: Instance): void {
    const owner = tags[ownerTag]
    if (owner === undefined) return
    const ids = byOwner.get(owner)
    ids?.delete(id)
    if (ids?.size === 0) byOwner.delete(owner)
  }

  return {
    get: (id) => byId.get(id),
    ownedBy: (owner) => [...(byOwner.get(owner) ?? [])].flatMap((id) => byId.get(id) ?? []),
    all: () => byId.values(),
    get size() {
      return byId.size
    },
    note: (instances, at) => instances.filter((instance) => put(instance, at)),
    listed(shown, at) {
      const gone: Instance[] = []
      for (const [id, known] of byId) {
        if (shown.has(id) || at < known.at + lagMs) continue
        byId.delete(id)
        disown(known.instance)
        gone.push(known.instance)
      }
      return gone
    },
  }
}
