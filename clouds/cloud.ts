import type { ErrorClass } from './error-classes.ts'

/**
 * What a cloud can do, in the field's words. A provider's folder maps its SDK to this and nothing else:
 * no retries (each attempt of a create begins with a lookup, and only the caller can do that), no caches,
 * no rate limits, no Kubernetes. Everything thrown is a `CloudError`, but for the reason of the caller's own
 * `signal`, after which a mutation may or may not have taken effect.
 *
 * One `Cloud` is one identity in one region. Making one costs nothing and does no call.
 */
export interface Cloud {
  readonly provider: string
  readonly region: string
  readonly guarantees: CloudGuarantees
  readonly limits: CloudLimits

  /** Asks the cloud who this identity is. Throws `unauthorized` with the cloud's words when it is nobody. */
  verify(signal?: AbortSignal): Promise<CloudAccount>

  /** Every region the provider has, whatever the identity may use. */
  regions(signal?: AbortSignal): Promise<readonly CloudRegion[]>

  /** Pages through the instances that match; terminated ones too for as long as the cloud shows them. */
  list(filter: InstanceFilter, signal?: AbortSignal): AsyncIterable<readonly Instance[]>

  /** One page of such a listing, in exactly one call: the first, or the one after `cursor`. */
  listPage(filter: InstanceFilter, cursor?: string, signal?: AbortSignal): Promise<InstancePage>

  /**
   * By id, or as else people name an instance there. `undefined` when the cloud says that there is none, or that nothing could be called that. One that is gone may
   * be shown as terminated for longer than listings show it, with what ended it and little else.
   */
  get(instanceId: string, signal?: AbortSignal): Promise<Instance | undefined>

  /**
   * The zone to name in a create whose spec names none, where the cloud wants one to be named: the same each time for a token,
   * and none that is `refused`. `undefined` where the cloud chooses by itself, and when none is left.
   */
  chooseZone(token: string, refused: readonly string[], signal?: AbortSignal): Promise<string | undefined>

  /**
   * Makes one instance, in exactly one attempt. Repeating it with the same `token` within
   * `guarantees.tokenValidityMs` gives the same instance, where the cloud honours tokens.
   * An error with `outcomeUnknown` may have made one.
   */
  create(spec: InstanceSpec, signal?: AbortSignal): Promise<Instance>

  /** The mutations below take many ids, fail as a whole, and are harmless when repeated. */
  start(instanceIds: readonly string[], signal?: AbortSignal): Promise<void>
  stop(instanceIds: readonly string[], signal?: AbortSignal): Promise<void>
  /** Terminating what is terminated already is no error; an id the cloud does not know is `notFound`. */
  terminate(instanceIds: readonly string[], signal?: AbortSignal): Promise<void>

  /** Only while stopped. */
  resize(instanceId: string, instanceType: string, signal?: AbortSignal): Promise<void>

  /** Sets and overwrites these tags on all of the ids. */
  tag(instanceIds: readonly string[], tags: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void>
  untag(instanceIds: readonly string[], keys: readonly string[], signal?: AbortSignal): Promise<void>
}

/** What may be relied on when deciding whether a create that was not answered took effect. */
export interface CloudGuarantees {
  /** For how long after a create the same token is sure to give the same instance; 0 where tokens are not honoured. */
  readonly tokenValidityMs: number
  /** The longest time after which a lookup by tag is taken to show what exists. */
  readonly lookupLagMs: number
  /** How many ids one mutation may carry. */
  readonly maxBatch: number
  /** How many values one lookup filter may carry. */
  readonly maxFilterValues: number
}

/** The kinds of call that a provider meters apart. */
export const cloudActions = [
  'verify',
  'regions',
  /** Also `get`. */
  'list',
  'create',
  'start',
  'stop',
  'terminate',
  'resize',
  'tag',
  'untag',
] as const
export type CloudAction = (typeof cloudActions)[number]

/**
 * How fast an account may call in a region, as the provider documents it. Replicas of the controller that share
 * an account each get the whole of it; the cloud's own `throttled` evens that out.
 */
export type CloudLimits = Readonly<Record<CloudAction, ActionLimit>>

export interface ActionLimit {
  /** A token a call. */
  readonly calls: Rate
  /** A token an instance, where the provider charges these too. */
  readonly instances?: Rate
}

export interface Rate {
  readonly burst: number
  readonly refillPerSecond: number
}

export interface CloudAccount {
  /** AWS account, GCP project. */
  readonly account: string
  /** Who the cloud says we are: an ARN, an e-mail. */
  readonly identity: string
}

export interface CloudRegion {
  readonly name: string
  /** As the provider prints it: `US East (N. Virginia)`. */
  readonly displayName: string
}

export type InstanceFilter =
  | { readonly kind: 'all' }
  /** Everything that carries this tag with one of these values (at most `guarantees.maxFilterValues`). */
  | { readonly kind: 'tag'; readonly key: string; readonly values: readonly string[] }
  /** Everything that was made with one of these tokens. */
  | { readonly kind: 'token'; readonly tokens: readonly string[] }

export interface InstancePage {
  readonly instances: readonly Instance[]
  /** The cursor of the page after this one; absent on the last. */
  readonly next?: string
}

export const instanceStates = ['pending', 'running', 'stopping', 'stopped', 'terminating', 'terminated'] as const
export type InstanceState = (typeof instanceStates)[number]

/** An instance as the cloud shows it. */
export interface Instance {
  readonly id: string
  /** The provider's own name for it, where it has one beside the id. */
  readonly name?: string
  readonly state: InstanceState
  /** The cloud's words on the last change of state, such as `Server.SpotInstanceTermination: …`; "" when none. */
  readonly stateReason: string
  readonly instanceType: string
  /** "" when the cloud does not say. */
  readonly image: string
  readonly region: string
  readonly zone: string
  /** "" until there is one. */
  readonly publicIP: string
  readonly privateIP: string
  /** RFC 3339, whole seconds; "" when the cloud does not say. */
  readonly launchTime: string
  readonly tags: Readonly<Record<string, string>>
  /** The token of the create that made it; "" when the cloud does not say. */
  readonly token: string
  readonly marketType: 'OnDemand' | 'Spot'
  /** Of a terminated one that never ran: why its launch failed, where the cloud says so only afterwards. */
  readonly launchFailure?: LaunchFailure
}

export interface LaunchFailure {
  readonly class: ErrorClass
  /** The cloud's words. */
  readonly message: string
  readonly remedy: string
}

/** What a create asks for. Empty and absent fields leave the choice to the cloud. */
export interface InstanceSpec {
  /** Idempotency key: at most 64 printable ASCII characters, the same for every attempt at one incarnation. */
  readonly token: string
  /**
   * The same for attempts whose outcome is not known, another one after the cloud has refused: a cloud that remembers the answer
   * of an attempt gives that answer again within a series, and tries anew in the next.
   */
  readonly series?: string
  readonly tags: Readonly<Record<string, string>>
  readonly instanceType: string
  readonly image: string
  readonly zone?: string
  readonly subnetId?: string
  readonly securityGroupIds?: readonly string[]
  readonly publicIP?: boolean
  readonly rootDisk?: { readonly sizeGiB?: number; readonly type?: string }
  readonly sshKeyName?: string
  /** Plain text; the provider encodes it as its API wants. */
  readonly userData?: string
  /** AWS instance profile name or ARN, GCP service account. */
  readonly instanceProfile?: string
  readonly marketType: 'OnDemand' | 'Spot'
}
