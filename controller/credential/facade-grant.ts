/**
 * Lets the facade read the Secret of one Credential, by name: it lists a provider's instances for people who may see
 * them but may not see the key. The grant belongs to the Credential and goes with it (garbage collection).
 */
import type { Credential } from '../../crds/credential.ts'
import { labels, managedBy, serviceAccounts } from '../../crds/names.ts'
import { roleBindingType, roleType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'

const apiGroup = 'rbac.authorization.k8s.io'

export interface FacadeGrantOptions {
  readonly client: KubeClient
  /** Where the facade's ServiceAccount is. */
  readonly installationNamespace: string
}

/** Makes the grant be what the Credential's spec asks for. */
export async function grantToFacade(
  credential: Credential,
  { client, installationNamespace }: FacadeGrantOptions,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind, spec } = credential
  const { namespace, uid } = credential.metadata
  const name = `skyclust-credential-${credential.metadata.name}`
  if (!spec.secretRef) {
    // The binding is harmless without its role, and goes with the Credential.
    await client.delete(roleType, { namespace, name }, { signal }).catch(ignoreNotFound)
    return
  }
  const metadata = {
    namespace,
    name,
    labels: { [labels.managedBy]: managedBy },
    ownerReferences: [{ apiVersion, kind, name: credential.metadata.name, uid }],
  }
  const rules = [{ apiGroups: [''], resources: ['secrets'], resourceNames: [spec.secretRef.name], verbs: ['get'] }]
  await client.apply(roleType, { metadata, rules }, { force: true, signal })
  const subjects = [{ kind: 'ServiceAccount' as const, name: serviceAccounts.api, namespace: installationNamespace }]
  const roleRef = { apiGroup, kind: 'Role' as const, name }
  await client.apply(roleBindingType, { metadata, roleRef, subjects }, { force: true, signal })
}

function ignoreNotFound(error: unknown): void {
  if (!isNotFound(error)) throw error
}
