/**
 * The Namespace of a Workspace: made, or taken when it says so itself.
 *
 * Guarantees: a Namespace that does not carry `skyclust.io/workspace: <name>` is never written to, and nothing in it is; one
 * that SkyClust did not make is never deleted. That it made one is told by the label `app.kubernetes.io/managed-by`,
 * set in the request that makes it.
 */
import { labels, managedBy } from '../../crds/names.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { type Namespace, namespaceType } from '../../kube/builtin-types.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isNotFound } from '../../kube/kube-error.ts'
import { isDeleting } from '../report.ts'

export interface WorkspaceNamespaceOptions {
  readonly client: KubeClient
  /** Of those that carry the label `skyclust.io/workspace`. */
  readonly namespaces: Cache<Namespace>
}

export type Holding =
  | { readonly kind: 'held'; readonly namespace: Namespace }
  /** It belongs to somebody else. */
  | { readonly kind: 'taken' }
  /** It is being deleted; it is made again when it is gone. */
  | { readonly kind: 'terminating' }

export async function takeNamespace(
  workspace: Workspace,
  options: WorkspaceNamespaceOptions,
  signal: AbortSignal,
): Promise<Holding> {
  const namespace = (await findNamespace(workspace, options, signal)) ?? (await make(workspace, options, signal))
  if (!belongsTo(namespace, workspace)) return { kind: 'taken' }
  return isDeleting(namespace) ? { kind: 'terminating' } : { kind: 'held', namespace }
}

/** The Namespace if it is the Workspace's; of one that is somebody else's, nothing is said. */
export async function ownNamespace(
  workspace: Workspace,
  options: WorkspaceNamespaceOptions,
  signal: AbortSignal,
): Promise<Namespace | undefined> {
  const namespace = await findNamespace(workspace, options, signal)
  return namespace && belongsTo(namespace, workspace) ? namespace : undefined
}

export function isMadeByUs({ metadata }: Namespace): boolean {
  return metadata.labels?.[labels.managedBy] === managedBy
}

async function findNamespace(
  { metadata: { name } }: Workspace,
  { client, namespaces }: WorkspaceNamespaceOptions,
  signal: AbortSignal,
): Promise<Namespace | undefined> {
  const cached = namespaces.get({ name })
  if (cached) return cached
  try {
    return await client.get(namespaceType, { name }, { signal }) // one without the label is not watched
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function make(
  { metadata: { name } }: Workspace,
  { client }: WorkspaceNamespaceOptions,
  signal: AbortSignal,
): Promise<Namespace> {
  const metadata = { name, labels: { [labels.workspace]: name, [labels.managedBy]: managedBy } }
  try {
    return await client.create(namespaceType, { metadata }, { signal })
  } catch (error) {
    if (isAlreadyExists(error)) return client.get(namespaceType, { name }, { signal })
    throw error
  }
}

function belongsTo(namespace: Namespace, workspace: Workspace): boolean {
  return namespace.metadata.labels?.[labels.workspace] === workspace.metadata.name
}
