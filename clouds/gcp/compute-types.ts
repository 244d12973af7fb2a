/**
 * The parts of Compute Engine's REST resources that are read or written here, as its published protos have them
 * (google.cloud.compute.v1). Numbers of 64 bits are strings in its JSON, and whatever is empty is left out.
 */

export interface GceInstance {
  readonly id?: string
  readonly name?: string
  /** A URL that ends with the zone's name. */
  readonly zone?: string
  readonly status?: string
  readonly statusMessage?: string
  /** A URL that ends with the type's name. */
  readonly machineType?: string
  readonly creationTimestamp?: string
  readonly lastStartTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly labelFingerprint?: string
  readonly metadata?: { readonly items?: readonly { readonly key?: string; readonly value?: string }[] }
  readonly networkInterfaces?: readonly {
    readonly networkIP?: string
    readonly accessConfigs?: readonly { readonly natIP?: string }[]
  }[]
  readonly scheduling?: { readonly provisioningModel?: string; readonly preemptible?: boolean }
}

/** A long-running operation: an answer to every mutation, and what is asked until it is `DONE`. */
export interface GceOperation {
  readonly name?: string
  readonly zone?: string
  readonly status?: 'PENDING' | 'RUNNING' | 'DONE'
  readonly operationType?: string
  readonly targetId?: string
  readonly targetLink?: string
  readonly user?: string
  readonly insertTime?: string
  readonly endTime?: string
  readonly error?: { readonly errors?: readonly { readonly code?: string; readonly message?: string }[] }
  readonly httpErrorStatusCode?: number
  readonly httpErrorMessage?: string
}

export interface GceProject {
  readonly name?: string
}

export interface GceRegion {
  readonly name?: string
  /** URLs that end with the zones' names. */
  readonly zones?: readonly string[]
}

export interface GceList<T> {
  readonly items?: readonly T[]
  readonly nextPageToken?: string
}

/** What an aggregated list has for one zone; `Key` is `instances` or `operations`. */
export type GceScope<Key extends string, T> = { readonly [K in Key]?: readonly T[] } & {
  readonly warning?: { readonly code?: string; readonly message?: string }
}

export interface GceAggregatedList<Key extends string, T> {
  /** By scope, such as `zones/us-central1-a`. */
  readonly items?: Readonly<Record<string, GceScope<Key, T>>>
  readonly nextPageToken?: string
}

/** The name at the end of a resource's URL. */
export function nameIn(url: string | undefined): string {
  return url?.slice(url.lastIndexOf('/') + 1) ?? ''
}
