/** What a provider is to the rest of the house: a name, the shape of its Credentials, and a way to a `Cloud`. */
import type { Cloud, CloudRegion } from './cloud.ts'
import { CloudError } from './cloud-error.ts'
import type { Price } from './prices/price.ts'

export interface Provider {
  /** As resources and REST bodies write it. */
  readonly name: string
  /** As it is printed. */
  readonly displayName: string
  /** Of its support here, not of its API. */
  readonly version: string
  /** Known without an account. */
  readonly regions: readonly CloudRegion[]
  readonly secretKeys: {
    readonly required: readonly string[]
    readonly optional: readonly string[]
  }
  /** What REST's `credentials` object takes. */
  readonly credentialFields: readonly CredentialField[]
  /**
   * One identity in one region. No call is made. Throws a `CloudError` that says what is missing or wrong in the
   * Secret (`unauthorized`) or the region (`invalid`).
   */
  connect(identity: Identity, region: string): Cloud
  /**
   * The On-Demand price that the cloud itself names for a type, if it has an interface for that and one price for the type.
   * Throws a `CloudError`, `forbidden` when this identity may not ask.
   */
  listPrice?(
    identity: Identity,
    type: { readonly region: string; readonly instanceType: string },
    signal?: AbortSignal,
  ): Promise<Price | undefined>
}

/** A field of REST's `credentials`, and where it goes: into the Secret, or into the Credential's spec. */
export type CredentialField = { readonly name: string; readonly required: boolean } & (
  | {
      readonly secretKey: string
      /** Whether a value would have us call a host that is neither the cloud's nor the operator's. */
      readonly leadsElsewhere?: (value: string) => boolean
    }
  /** A path below `spec`. */
  | { readonly specPath: readonly string[] }
)

/** What a Credential says of itself, its Secret read. */
export interface Identity {
  /** The Secret's values, decoded; `ambient` for the process's own identity. */
  readonly secret: Readonly<Record<string, string>> | 'ambient'
  readonly aws?: { readonly roleARN?: string; readonly externalID?: string }
  readonly gcp?: { readonly projectID?: string }
}

/** The values of the keys that a provider cannot do without, or a `CloudError` that names those that are missing. */
export function requiredKeys<Key extends string>(
  secret: Readonly<Record<string, string>>,
  keys: readonly Key[],
): Readonly<Record<Key, string>> {
  const missing = keys.filter((key) => !secret[key])
  if (missing.length > 0) {
    throw new CloudError(`The Secret lacks ${missing.join(' and ')}.`, {
      class: 'unauthorized',
      code: 'MissingKey',
      action: 'connect',
    })
  }
  return secret as Readonly<Record<Key, string>>
}
