/**
 * From a Credential to a cloud that may be called, for whoever works with one.
 *
 * Guarantees: `access` answers at once, from memory; a cloud that it hands out was accepted by the provider under the
 * identity that it has, and is the same object as long as identity and region are; Credentials that lead to one
 * account and region share its meters, never an identity. Listeners hear of every change that may make `access` answer
 * differently.
 *
 * An identity that was accepted and is refused by a call later, as after it was revoked, is doubted: it is due for verification.
 *
 * What is remembered is only what the Credential controller found; after a start that is nothing, and `access` says `pending`.
 */
import { isCloudError } from '../../clouds/cloud-error.ts'
import { errorClasses } from '../../clouds/error-classes.ts'
import { type MeteredCloud, meteredCloud } from '../../clouds/metered-cloud.ts'
import type { Meters } from '../../clouds/meters.ts'
import type { Identity } from '../../clouds/provider.ts'
import type { Providers } from '../../clouds/providers.ts'
import type { Sleep } from '../../clouds/sleep.ts'
import type { Credential } from '../../crds/credential.ts'
import type { Cache } from '../../kube/cache.ts'
import { isDeleting } from '../report.ts'
import type { CloudAccess } from './cloud-access.ts'
import type { Finding } from './verification.ts'

export interface CloudRegistry {
  /** @param region default: the Credential's own */
  access(namespace: string, credentialName: string, region?: string): CloudAccess
  /** Returns what takes the listener off again. */
  onChange(listener: (namespace: string, credentialName: string) => void): () => void
  /** Tells of Credentials whose identity has come into doubt. */
  onDoubt(listener: (namespace: string, credentialName: string) => void): void
  /** What was last found of a Credential. */
  known(credential: Credential): Known | undefined
  /** The Credential controller found something. */
  learn(credential: Credential, known: Known): void
}

export interface Known {
  /** Of the identity; see `versionOf`. */
  readonly version: string
  readonly identity: Identity
  readonly finding: Finding
  /** When to ask again, in milliseconds of the caller's clock. */
  readonly dueAt: number
  /** The interval that grows while there is no answer; 0 after one. */
  readonly backoffMs: number
}

export interface CloudRegistryOptions {
  readonly credentials: Pick<Cache<Credential>, 'get' | 'onChange' | 'isSynced'>
  readonly providers: Providers
  readonly meters: Meters
  /** Asked right before each mutation for that namespace; throws when this process may no longer act there. */
  readonly fence?: (namespace: string) => void
  readonly now?: () => number
  readonly sleep?: Sleep
}

interface Entry {
  readonly known: Known
  readonly clouds: Map<string, MeteredCloud>
  /** When it was last doubted, by `now`. */
  readonly doubtedAt?: number
}

/** However many calls are refused, the cloud is not asked more often because of them. */
const DOUBT_INTERVAL_MS = 30_000

export function cloudRegistry(options: CloudRegistryOptions): CloudRegistry {
  const { credentials, providers, meters, fence, now = () => performance.now(), sleep } = options
  /** By UID: a Credential made anew under the name of another is another. */
  const entries = new Map<string, Entry>()
  const listeners = new Set<(namespace: string, name: string) => void>()
  const doubters = new Set<(namespace: string, name: string) => void>()

  function tell({ metadata: { namespace = '', name } }: Credential): void {
    for (const listener of [...listeners]) listener(namespace, name)
  }

  credentials.onChange((change) => {
    const { object } = change
    if (change.type === 'delete') entries.delete(object.metadata.uid)
    else if (
      change.previous &&
      isDeleting(change.previous) === isDeleting(object) &&
      change.previous.spec.region === object.spec.region
    )
      return
    tell(object)
  })

  function doubt({ metadata: { uid, namespace = '', name } }: Credential): void {
    const entry = entries.get(uid)
    if (entry?.known.finding.kind !== 'accepted') return
    if (entry.doubtedAt !== undefined && now() - entry.doubtedAt < DOUBT_INTERVAL_MS) return
    entries.set(uid, { ...entry, known: { ...entry.known, dueAt: 0 }, doubtedAt: now() })
    for (const listener of doubters) listener(namespace, name)
  }

  function cloudOf(credential: Credential, { known, clouds }: Entry, account: string, region: string): MeteredCloud {
    const made = clouds.get(region)
    if (made) return made
    const provider = providers.named(credential.spec.provider)
    if (!provider) throw new Error(`provider ${credential.spec.provider} is not on`)
    const cloud = provider.connect(known.identity, region)
    const { namespace = '' } = credential.metadata
    const metered = meteredCloud({
      cloud,
      meter: meters.of({ provider: provider.name, account, region, limits: cloud.limits }),
      onCall({ outcome }) {
        if (outcome === 'unauthorized') doubt(credential)
      },
      ...(fence && { beforeMutation: () => fence(namespace) }),
      now,
      ...(sleep && { sleep }),
    })
    clouds.set(region, metered)
    return metered
  }

  function ready(credential: Credential, entry: Entry, wanted: string | undefined): CloudAccess {
    const { finding, version } = entry.known
    if (finding.kind !== 'accepted')
      return notReady(finding.readiness.reason, finding.readiness.message, finding.readiness.phase === 'stalled')
    const region = wanted ?? credential.spec.region
    if (!region) {
      const message = `Neither it nor Credential ${credential.metadata.name} names a region: set spec.region of the Credential.`
      return notReady('RegionMissing', message, true)
    }
    const { account } = finding
    try {
      const cloud = cloudOf(credential, entry, account, region)
      const { provider } = credential.spec
      return { kind: 'ready', cloud, account, provider, region, version, deleting: isDeleting(credential) }
    } catch (error) {
      if (!isCloudError(error)) throw error
      const { reason, stalled } = errorClasses[error.class]
      return notReady(reason, `${error.message} ${error.remedy}`, stalled)
    }
  }

  return {
    access(namespace, name, region) {
      const credential = credentials.get({ namespace, name })
      if (credential) {
        const entry = entries.get(credential.metadata.uid)
        return entry ? ready(credential, entry, region) : { kind: 'pending' }
      }
      if (!credentials.isSynced) return { kind: 'pending' }
      return notReady('CredentialMissing', `There is no Credential ${name} in namespace ${namespace}: make it.`, false)
    },

    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    onDoubt: (listener) => void doubters.add(listener),

    known: ({ metadata }) => entries.get(metadata.uid)?.known,

    learn(credential, known) {
      const before = entries.get(credential.metadata.uid)
      const same = before?.known.version === known.version
      entries.set(credential.metadata.uid, same ? { ...before, known } : { known, clouds: new Map() })
      if (!same || JSON.stringify(before.known.finding) !== JSON.stringify(known.finding)) tell(credential)
    },
  }
}

function notReady(reason: string, message: string, stalled: boolean): CloudAccess {
  return { kind: 'notReady', reason, message, stalled }
}
