import { createHash } from 'node:crypto'
import { type Identity, type Provider, requiredKeys } from '../provider.ts'
import { billingCatalog } from './billing-catalog.ts'
import { gcpConnections } from './connections.ts'
import { gcpCloud } from './gcp-cloud.ts'
import { ambientIdentity, type GcpIdentity, keyIdentity } from './identity.ts'
import { gcpRegions } from './regions.ts'
import { leadsElsewhere, readServiceAccountKey } from './service-account-key.ts'

export interface GcpProviderOptions {
  /** The operator's, where it is not Google's. */
  readonly gcpEndpoint?: string
  readonly timeoutMs?: number
}

const REMEMBERED_IDENTITIES = 1_000

/** Google Cloud: service account keys, or the identity that the process itself has (workload identity included). */
export function gcpProvider({ gcpEndpoint, timeoutMs }: GcpProviderOptions = {}): Provider {
  const connections = gcpConnections(gcpEndpoint)
  const catalog = billingCatalog({ connections })
  const identities = recentIdentities()
  return {
    name: 'gcp',
    displayName: 'GCP',
    version: '1.0.0',
    regions: gcpRegions,
    secretKeys: { required: ['service_account_key'], optional: [] },
    credentialFields: [
      { name: 'project_id', required: false, specPath: ['gcp', 'projectID'] },
      {
        name: 'service_account_key',
        required: true,
        secretKey: 'service_account_key',
        leadsElsewhere: (text) => leadsElsewhere(text, connections.endpoint.foreignOrigin),
      },
      { name: 'region', required: false, specPath: ['region'] },
    ],
    connect(identity, region) {
      const { projectID } = identity.gcp ?? {}
      return gcpCloud({
        identity: identityOf(identity),
        region,
        connections,
        ...(projectID && { projectID }),
        ...(timeoutMs !== undefined && { timeoutMs }),
      })
    },
    listPrice: (identity, type, signal) => catalog.price(identityOf(identity), type, signal),
  }

  function identityOf({ secret, gcp: { projectID } = {} }: Identity) {
    return secret === 'ambient'
      ? identities.of(`ambient ${projectID ?? ''}`, () => ambientIdentity({ ...(projectID && { projectID }) }))
      : identities.of(`key ${secret.service_account_key ?? ''}`, () => keyIdentity({ key: keyIn(secret), connections }))
  }

  function keyIn(secret: Readonly<Record<string, string>>) {
    const { service_account_key: text } = requiredKeys(secret, ['service_account_key'])
    return readServiceAccountKey(text, connections.endpoint.foreignOrigin)
  }
}

/** An identity has a token, which is good for an hour: who calls again with the same key goes on with it. */
function recentIdentities() {
  const byDigest = new Map<string, GcpIdentity>()
  return {
    of(key: string, make: () => GcpIdentity): GcpIdentity {
      const digest = createHash('sha256').update(key).digest('base64')
      const identity = byDigest.get(digest) ?? make()
      byDigest.delete(digest)
      byDigest.set(digest, identity) // the one that was used last comes last
      for (const [oldest] of byDigest) if (byDigest.size > REMEMBERED_IDENTITIES) byDigest.delete(oldest)
      return identity
    },
  }
}
