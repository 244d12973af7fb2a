/** Which Credential a new VM uses: the one it names, or the workspace's only one for the provider. */
import { type Credential, credentialKind } from '../../crds/credential.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Caller } from '../auth/caller.ts'
import { ApiError, invalidField, notFound } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import type { Access } from './access.ts'
import type { Store } from './store.ts'

export interface CredentialWish {
  readonly workspace: Workspace
  readonly namespace: string
  readonly provider: string
  readonly credential_id?: string | undefined
}

/** Throws `NOT_FOUND`, `CONFLICT` when there is none, `VALIDATION_ERROR` when there are several: each says what to do. */
export type CredentialFor = (caller: Caller, wish: CredentialWish) => Promise<Credential>

export function credentialChoice(store: Store, access: Access, client: KubeClient): CredentialFor {
  function candidates(credentials: readonly Credential[], provider: string): readonly Credential[] {
    return credentials.filter(
      ({ spec, metadata }) => spec.provider === provider && metadata.deletionTimestamp === undefined,
    )
  }

  return async (caller, { workspace, namespace, provider, credential_id }) => {
    if (credential_id !== undefined) {
      const held = await access.credential(caller, credential_id, 'credential.read')
      if (held.workspace.metadata.uid !== workspace.metadata.uid) throw notFound()
      if (held.object.spec.provider !== provider) throw otherProvider(held.object.spec.provider)
      return held.object
    }
    const known = candidates(store.credentialsIn(namespace), provider)
    // One that another replica made a moment ago may not have arrived here: before saying no, ask the cluster.
    const found =
      known.length === 1 ? known : candidates((await client.list(credentialKind, { namespace })).items, provider)
    const [only, another] = found
    if (only === undefined) throw new ApiError('CONFLICT', refused.noCredential(provider))
    if (another !== undefined) throw severalCredentials(found)
    return only
  }
}

function otherProvider(provider: string): ApiError {
  return invalidField('credential_id', {
    ko: `${provider} 자격증명입니다. provider와 맞는 자격증명을 지정하십시오.`,
    en: `is a credential for ${provider}: name one for the provider of the VM`,
  })
}

function severalCredentials(found: readonly Credential[]): ApiError {
  const ids = found.map(({ metadata }) => metadata.uid).slice(0, 20)
  return invalidField('credential_id', {
    ko: `자격증명이 여러 개입니다. 다음 중 하나를 지정하십시오: ${ids.join(', ')}.`,
    en: `is missing: the workspace has several credentials for that provider; name one of ${ids.join(', ')}`,
  })
}
