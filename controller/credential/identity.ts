/**
 * From a Credential and its Secret to the identity that a provider connects with. Pure; what it gives holds secret
 * values, so it goes into a connection and a digest, and nowhere else.
 */
import { createHash } from 'node:crypto'
import type { Identity } from '../../clouds/provider.ts'
import type { Credential } from '../../crds/credential.ts'
import type { Secret } from '../../kube/builtin-types.ts'

/** @param secret the Secret that the Credential names; `undefined` for one whose source is Ambient */
export function identityOf({ spec }: Credential, secret: Secret | undefined): Identity {
  const { roleARN, externalID } = spec.aws ?? {}
  const { projectID } = spec.gcp ?? {}
  return {
    secret: spec.source === 'Ambient' ? 'ambient' : decoded(secret?.data ?? {}),
    ...(roleARN && { aws: { roleARN, ...(externalID && { externalID }) } }),
    ...(projectID && { gcp: { projectID } }),
  }
}

/** Another one whenever the identity, or the region in which it is verified, is another; tells nothing of the values. */
export function versionOf(identity: Identity, provider: string, region: string): string {
  const secret = identity.secret === 'ambient' ? 'ambient' : Object.entries(identity.secret).sort()
  return createHash('sha256')
    .update(JSON.stringify([provider, region, secret, identity.aws ?? {}, identity.gcp ?? {}]))
    .digest('hex')
}

function decoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  )
}
