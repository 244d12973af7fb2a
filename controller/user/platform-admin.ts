/**
 * Makes an administrator of the installation of a User, or takes that away: a ClusterRoleBinding that belongs to the User
 * and goes with it (garbage collection).
 */
import { clusterRoles, kubernetesUser, labels, managedBy } from '../../crds/names.ts'
import type { User } from '../../crds/user.ts'
import { clusterRoleBindingType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'

const apiGroup = 'rbac.authorization.k8s.io'

export async function setPlatformAdmin(
  user: User,
  isAdmin: boolean,
  client: KubeClient,
  signal: AbortSignal,
): Promise<void> {
  const { apiVersion, kind, metadata } = user
  const name = `${clusterRoles.platformAdmin}-${metadata.name}`
  if (!isAdmin) {
    await client.delete(clusterRoleBindingType, { name }, { signal }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error
    })
    return
  }
  const draft = {
    metadata: {
      name,
      labels: { [labels.managedBy]: managedBy },
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }],
    },
    roleRef: { apiGroup, kind: 'ClusterRole' as const, name: clusterRoles.platformAdmin },
    subjects: [{ apiGroup, kind: 'User' as const, name: kubernetesUser(metadata.name) }],
  }
  await client.apply(clusterRoleBindingType, draft, { force: true, signal })
}
