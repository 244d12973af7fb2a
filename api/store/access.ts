/**
 * From an id in a path or a body to the object, for a caller who may do that with it.
 *
 * Before it says no it looks twice: the id is looked up exactly, and the workspace on which a refusal rests is read from
 * the API server, because a role that was granted on another replica a moment ago may not have arrived here. The common
 * case, an object that is here and a role that suffices, waits for nothing.
 */
import type { Credential } from '../../crds/credential.ts'
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { VM } from '../../crds/vm.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { denial, mayIn, type WorkspaceAction } from '../auth/authorization.ts'
import type { Caller } from '../auth/caller.ts'
import { notFound } from '../http/api-error.ts'
import type { ExactLookup } from './exact-lookup.ts'
import type { Store } from './store.ts'

export interface Held<T> {
  readonly object: T
  readonly workspace: Workspace
}

/** All throw `NOT_FOUND` or `FORBIDDEN`. */
export interface Access {
  /** Not one that is being deleted. */
  workspace(caller: Caller, id: string, action: WorkspaceAction): Promise<Workspace>
  vm(caller: Caller, id: string, action: WorkspaceAction): Held<VM> | Promise<Held<VM>>
  /** Not one that is being deleted. */
  credential(caller: Caller, id: string, action: WorkspaceAction): Promise<Held<Credential>>
  run(caller: Caller, id: string, action: WorkspaceAction): Promise<Held<TofuRun>>
  /** Asks again of the workspace as it is now in the cluster. Throws when the caller may not. */
  requireIn(workspace: Workspace, caller: Caller, action: WorkspaceAction): Promise<Workspace>
  /** As the API server has them now: one made on another replica a moment ago is among them, none that is being deleted. */
  workspacesOwnedBy(userName: string): Promise<readonly Workspace[]>
  /** As the API server has it now, whoever asks. */
  workspaceNamed(name: string): Promise<Workspace | undefined>
}

const SEEN_WITHIN_MS = 2_000

export function access(store: Store, client: KubeClient): Access {
  async function requireIn(workspace: Workspace, caller: Caller, action: WorkspaceAction): Promise<Workspace> {
    if (mayIn(workspace, caller, action)) return workspace
    const now = await fresh(workspace)
    if (now !== undefined && mayIn(now, caller, action)) return now
    throw denial(now, caller, action)
  }

  async function fresh(workspace: Workspace): Promise<Workspace | undefined> {
    try {
      const read = await client.get(workspaceKind, { name: workspace.metadata.name })
      await store.workspaces.seen(read, { timeoutMs: SEEN_WITHIN_MS })
      return read.metadata.uid === workspace.metadata.uid ? read : undefined
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async function held<T extends VM | Credential | TofuRun>(
    lookup: ExactLookup<T>,
    caller: Caller,
    id: string,
    action: WorkspaceAction,
  ): Promise<Held<T>> {
    const object = await lookup(id)
    const name = object?.metadata.namespace
    const workspace = name === undefined ? undefined : await workspaceOf(name)
    if (object === undefined || workspace === undefined) throw notFound()
    return { object, workspace: await requireIn(workspace, caller, action) }
  }

  /** A VM can arrive before the Workspace in which it was made. */
  async function workspaceOf(namespace: string): Promise<Workspace | undefined> {
    const known = store.workspaceOfNamespace(namespace)
    if (known !== undefined) return known
    const read = await workspaceNamed(namespace)
    return read?.status?.namespace === namespace ? read : undefined
  }

  async function workspaceNamed(name: string): Promise<Workspace | undefined> {
    try {
      return await client.get(workspaceKind, { name })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    requireIn,
    workspaceNamed,
    async workspacesOwnedBy(userName) {
      const { items } = await client.list(workspaceKind)
      return items.filter(({ spec, metadata }) => spec.owner === userName && metadata.deletionTimestamp === undefined)
    },
    async workspace(caller, id, action) {
      const workspace = await store.workspaceById(id)
      if (workspace === undefined || workspace.metadata.deletionTimestamp !== undefined) throw notFound()
      return requireIn(workspace, caller, action)
    },
    vm(caller, id, action) {
      const object = store.vms.byUid(id)
      const workspace = object && store.workspaceOfNamespace(object.metadata.namespace)
      if (workspace !== undefined && mayIn(workspace, caller, action)) return { object, workspace } as Held<VM>
      return held(store.vmById, caller, id, action)
    },
    run: (caller, id, action) => held(store.runById, caller, id, action),
    async credential(caller, id, action) {
      const found = await held(store.credentialById, caller, id, action)
      if (found.object.metadata.deletionTimestamp !== undefined) throw notFound()
      return found
    },
  }
}
