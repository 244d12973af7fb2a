/**
 * Writes to Kubernetes as the caller: impersonation of `skyclust:<User name>` with the group `skyclust:users` and those
 * that the session carries, so that RBAC decides, and the cluster's own audit log names them.
 *
 * What the controller makes of a Workspace (its namespace, the bindings) comes a moment after the 201 or the change
 * that asked for it, and the API server's authoriser hears of it a moment later still. A write that is refused while that is
 * under way is therefore tried again, for {@link PATIENCE_MS}; once the Workspace is settled, a refusal is final at
 * once, so that taking a RoleBinding away is enough to stop somebody. When the process is told to stop, whoever waits is
 * answered 503 at once: nothing was written for them yet, and another replica takes it up.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { kubernetesUser, usersGroup } from '../../crds/names.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import { getCondition } from '../../kube/conditions.ts'
import { isForbidden, isNotFound } from '../../kube/kube-error.ts'
import type { Caller } from '../auth/caller.ts'
import { ApiError } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import type { Store } from '../store/store.ts'

export interface AsCaller {
  /** A client that acts as the caller. */
  client(caller: Caller): KubeClient
  /** Writes to the Workspace itself. */
  toWorkspace<T>(caller: Caller, workspace: Workspace, write: (client: KubeClient) => Promise<T>): Promise<T>
  /** Writes into the Workspace's namespace, once the controller has made it. */
  inWorkspace<T>(
    caller: Caller,
    workspace: Workspace,
    write: (client: KubeClient, namespace: string) => Promise<T>,
  ): Promise<T>
}

export interface AsCallerOptions {
  readonly client: KubeClient
  readonly store: Store
  /** Aborted when the process was told to stop. */
  readonly stopping: AbortSignal
  /** Monotonic milliseconds. */
  readonly now?: () => number
}

/**
 * How long a write waits for the controller to catch up with a Workspace. A controller that is killed is followed by another
 * once its Lease of 15 s has run out; a request that comes in between waits for that, and is not refused.
 */
export const PATIENCE_MS = 25_000
/** After the controller has caught up, how long until the API server's authoriser surely has too. */
const SETTLED_AFTER_MS = 5_000
const FIRST_PAUSE_MS = 50

export function asCaller({ client, store, stopping, now = () => performance.now() }: AsCallerOptions): AsCaller {
  const { workspaces, users } = store
  /** When a Workspace or User last changed, as seen here; by uid. */
  const changedAt = new Map<string, number>()
  for (const cache of [workspaces, users]) {
    cache.onChange(({ type, object }) => {
      if (type === 'delete') changedAt.delete(object.metadata.uid)
      else changedAt.set(object.metadata.uid, now())
    })
  }

  function clientOf(caller: Caller): KubeClient {
    return client.as({ username: kubernetesUser(caller.name), groups: [usersGroup, ...caller.groups] })
  }

  /** Whether a refusal may still be one of "not yet". */
  function settling(workspace: Workspace, caller: Caller): boolean {
    const current = workspaces.byUid(workspace.metadata.uid) ?? workspace
    if (current.status?.observedGeneration !== current.metadata.generation) return true
    const latest = Math.max(
      changedAt.get(workspace.metadata.uid) ?? now(),
      changedAt.get(caller.id) ?? Number.NEGATIVE_INFINITY,
    )
    return now() - latest < SETTLED_AFTER_MS
  }

  async function unlessStopping(wait: Promise<unknown>): Promise<void> {
    await wait.catch((error: unknown) => {
      throw stopping.aborted ? new ApiError('SERVICE_UNAVAILABLE', refused.stopping, { retryAfterSeconds: 1 }) : error
    })
  }

  async function patiently<T>(caller: Caller, workspace: Workspace, write: () => Promise<T>): Promise<T> {
    const deadline = now() + PATIENCE_MS
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(1_000, pauseMs * 2)) {
      try {
        return await write()
      } catch (error) {
        if (!isForbidden(error) || isFinal(error) || !settling(workspace, caller)) throw error
        if (now() >= deadline) throw unobserved(workspaces.byUid(workspace.metadata.uid)) ?? error
      }
      await unlessStopping(sleep(pauseMs, undefined, { signal: stopping }))
    }
  }

  async function namespaceOf(workspace: Workspace): Promise<string> {
    const key = { name: workspace.metadata.name }
    const ready = (current: Workspace | undefined) => current?.status?.namespace !== undefined
    if (!ready(workspaces.get(key))) {
      const isDecided = (current: Workspace | undefined) => ready(current) || isTaken(current)
      await unlessStopping(workspaces.until(key, isDecided, { timeoutMs: PATIENCE_MS, signal: stopping }))
    }
    const current = workspaces.get(key)
    if (current?.status?.namespace !== undefined) return current.status.namespace
    throw (isTaken(current) && taken(current)) || noController()
  }

  return {
    client: clientOf,
    toWorkspace: (caller, workspace, write) => patiently(caller, workspace, () => write(clientOf(caller))),
    async inWorkspace(caller, workspace, write) {
      const namespace = await namespaceOf(workspace)
      return patiently(caller, workspace, () => write(clientOf(caller), namespace))
    },
  }
}

/** Refusals by quota or by a namespace that goes away are not RBAC's, and waiting does not mend them. */
function isFinal(error: {
  readonly message: string
  readonly details: { readonly causes?: readonly object[] }
}): boolean {
  return error.message.includes('exceeded quota') || (error.details.causes?.length ?? 0) > 0
}

function isTaken(workspace: Workspace | undefined): boolean {
  return readyCondition(workspace)?.status === 'False' && workspace?.status?.namespace === undefined
}

function taken(workspace: Workspace | undefined): ApiError {
  return new ApiError('CONFLICT', refused.workspaceTaken(readyCondition(workspace)?.message ?? ''))
}

function readyCondition(workspace: Workspace | undefined) {
  return getCondition(workspace?.status?.conditions, 'Ready')
}

/** What is missing when the controller has not looked at the Workspace as it is now. */
function unobserved(workspace: Workspace | undefined): ApiError | undefined {
  return workspace !== undefined && workspace.status?.observedGeneration !== workspace.metadata.generation
    ? noController()
    : undefined
}

function noController(): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', refused.noController, { retryAfterSeconds: 5 })
}

/** For a write whose object may be gone by now. */
export async function ignoringNotFound(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
