/**
 * Puts into a Workspace's Namespace, and beside it, what belongs there: roles bound to people, and the quota; and takes it
 * out again. Every write may be repeated, and comes to the same in any order.
 */
import { labels, managedBy } from '../../crds/names.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { clusterRoleBindingType, clusterRoleType, roleBindingType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import type { Draft, KubeObject, ResourceType } from '../../kube/resource.ts'
import { type Grant, grantsOf } from './grants.ts'

interface ResourceQuota extends KubeObject {
  readonly spec?: { readonly hard?: Readonly<Record<string, string>> }
}

const resourceQuotaType: ResourceType<ResourceQuota> = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
}

/** Roles before their bindings, so that a binding is never there without what it is about. */
export async function bindRoles(workspace: Workspace, client: KubeClient, signal: AbortSignal): Promise<void> {
  const { roleBindings, clusterRoles, clusterRoleBindings } = grantsOf(workspace)
  await Promise.all(roleBindings.map((grant) => setGrant(client, roleBindingType, grant, signal)))
  await Promise.all(clusterRoles.map((grant) => setGrant(client, clusterRoleType, grant, signal)))
  await Promise.all(clusterRoleBindings.map((grant) => setGrant(client, clusterRoleBindingType, grant, signal)))
}

export function setQuota(workspace: Workspace, client: KubeClient, signal: AbortSignal): Promise<void> {
  return setGrant(client, resourceQuotaType, quotaOf(workspace), signal)
}

/** Out of a Namespace that stays: garbage collection would do it too, some time after the Workspace is gone. */
export async function unfurnish(workspace: Workspace, client: KubeClient, signal: AbortSignal): Promise<void> {
  const { roleBindings } = grantsOf(workspace)
  await Promise.all(
    roleBindings.map(({ draft }) => setGrant(client, roleBindingType, { draft, isWanted: false }, signal)),
  )
  await setGrant(client, resourceQuotaType, { ...quotaOf(workspace), isWanted: false }, signal)
}

function quotaOf({ apiVersion, kind, metadata, spec }: Workspace): Grant<Draft<ResourceQuota>> {
  const { vms, tofuRuns } = spec.quota ?? {}
  const hard = {
    ...(vms !== undefined && { 'count/vms.skyclust.io': String(vms) }),
    ...(tofuRuns !== undefined && { 'count/tofuruns.skyclust.io': String(tofuRuns) }),
  }
  const draft = {
    metadata: {
      namespace: metadata.name,
      name: 'skyclust',
      labels: { [labels.managedBy]: managedBy, [labels.workspace]: metadata.name },
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }],
    },
    spec: { hard },
  }
  return { draft, isWanted: Object.keys(hard).length > 0 }
}

async function setGrant<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  { draft, isWanted }: Grant<Draft<T>>,
  signal: AbortSignal,
): Promise<void> {
  if (isWanted) {
    await client.apply(type, draft, { force: true, signal })
    return
  }
  const { namespace, name = '' } = draft.metadata
  await client.delete(type, { namespace, name }, { signal }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error
  })
}
