/**
 * What this process remembers of its own acts on a VM, so that it neither repeats a call whose effect a lagging view does
 * not show yet, nor tries in vain too often. It is a hint: whoever forgets it makes a call too many, never a wrong one.
 */
import type { VM } from '../../crds/vm.ts'
import { compareResourceVersions } from '../../kube/resource.ts'

export interface TagCall {
  /** `undefined`: it was taken off. */
  readonly value: string | undefined
  /** When it was answered. */
  readonly at: number
}

export interface Recollection {
  /** The last call that changed the instance's power, and when it was answered. */
  readonly power?: { readonly kind: 'start' | 'stop'; readonly at: number }
  readonly resizedAt?: number
  /** By key: the last call for that tag. */
  readonly tagged?: ReadonlyMap<string, TagCall>
  readonly releasedAt?: number
  /** By instance id: when its termination was answered. */
  readonly terminatedAt?: Readonly<Record<string, number>>
  /** Zones that had no room for the present attempt at a create. */
  readonly fullZones?: readonly string[]
  /** Failures in a row. */
  readonly failures?: number
  /** What cannot be mended by trying is tried again then, or as soon as one of these has changed. */
  readonly notBefore?: { readonly at: number; readonly generation: number; readonly accessVersion: string }
  /** The version that this process wrote last: a cache that is older than this is not acted upon. */
  readonly writtenVersion?: string
}

/** What is remembered of tags, and these, of which the cloud took the value or the removal at `at`. */
export function withTags(
  { tagged }: Recollection,
  calls: readonly (readonly [key: string, value: string | undefined])[],
  at: number,
): ReadonlyMap<string, TagCall> {
  return new Map([...(tagged ?? []), ...calls.map(([key, value]): [string, TagCall] => [key, { value, at }])])
}

export interface Recollections {
  of(vm: VM): Recollection
  update(vm: VM, change: Recollection): void
  /** Whether the object is older than what this process wrote. */
  isBehind(vm: VM): boolean
  /** A pass went through: the failures before it and those that may come are not in a row. */
  wentThrough(vm: VM): void
  /** Everything went as it should: only what guards against a stale view is kept. */
  settle(vm: VM): void
  forget(uid: string): void
}

const nothing: Recollection = {}

export function recollections(): Recollections {
  const byUid = new Map<string, Recollection>()
  const of = (vm: VM) => byUid.get(vm.metadata.uid) ?? nothing
  return {
    of,
    update: (vm, change) => void byUid.set(vm.metadata.uid, { ...of(vm), ...change }),
    isBehind(vm) {
      const written = of(vm).writtenVersion
      return written !== undefined && compareResourceVersions(vm.metadata.resourceVersion, written) < 0
    },
    wentThrough(vm) {
      const { failures, ...rest } = of(vm)
      if (failures !== undefined) byUid.set(vm.metadata.uid, rest)
    },
    settle(vm) {
      const { failures, notBefore, ...rest } = of(vm)
      if (failures !== undefined || notBefore !== undefined) byUid.set(vm.metadata.uid, rest)
    },
    forget: (uid) => void byUid.delete(uid),
  }
}
