/**
 * The controller of Workspaces: takes the Namespace, binds the roles in it, sets the quota; on the way out, empties it.
 *
 * The order makes a crash before, during or after each step harmless: the finalizer first, so that nothing is left behind;
 * the status last, so that roles and quota are written again unless all of them were. They are written when the
 * spec or the Namespace is another one, and at no other time: whoever takes a binding away with kubectl is not fought.
 */
import { finalizers } from '../../crds/names.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import { type Namespace, namespaceType } from '../../kube/builtin-types.ts'
import type { Result } from '../../kube/controller.ts'
import { ensureFinalizer, hasFinalizer, removeFinalizer } from '../../kube/finalizers.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import type { KindController } from '../kind-controller.ts'
import type { KindDependencies } from '../kinds.ts'
import { isPaused } from '../pause.ts'
import { isDeleting, type Readiness, reporter } from '../report.ts'
import { clearOut } from './clear-out.ts'
import { bindRoles, setQuota, unfurnish } from './furnish.ts'
import { type Holding, isMadeByUs, ownNamespace, takeNamespace } from './workspace-namespace.ts'

export type WorkspaceDependencies = Pick<KindDependencies, 'client' | 'events'> & {
  readonly caches: Pick<KindDependencies['caches'], 'workspaces' | 'namespaces' | 'vms' | 'runs' | 'credentials'>
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const CONCURRENCY = 4
/** A Namespace that is somebody else's is not watched. */
const LOOK_AGAIN_MS = 30_000
/** So that a thousand VMs that go are not a thousand lists of those that are left. */
const GATHER_MS = 500

export function workspaceController(deps: WorkspaceDependencies): KindController {
  const { client, events, caches, now = Date.now } = deps
  const { workspaces, namespaces, vms, runs, credentials } = caches
  const report = reporter({ client, events, type: workspaceKind, now })

  async function reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const found = workspaces.get(key)
    if (!found || isLetGo(found)) return undefined
    if (isPaused(found)) return void (await report.sayPaused(found, signal))
    if (isDeleting(found)) return windDown(found, signal)

    const workspace = await ensureFinalizer(client, workspaceKind, found, finalizers.workspace, { signal })
    const holding = await takeNamespace(workspace, { client, namespaces }, signal)
    if (holding.kind !== 'held') return waitForNamespace(workspace, holding, signal)
    if (isNew(workspace, holding.namespace)) {
      await bindRoles(workspace, client, signal)
      await setQuota(workspace, client, signal)
    }
    const { name, uid } = holding.namespace.metadata
    await report.say(workspace, { readiness: ready(name), fields: { namespace: name, namespaceUID: uid } }, signal)
    return undefined
  }

  async function waitForNamespace(
    workspace: Workspace,
    holding: Exclude<Holding, { kind: 'held' }>,
    signal: AbortSignal,
  ): Promise<Result> {
    const fields = { namespace: undefined, namespaceUID: undefined }
    await report.say(workspace, { readiness: notHeld(workspace, holding), fields }, signal)
    return { requeueAfterMs: LOOK_AGAIN_MS }
  }

  async function windDown(workspace: Workspace, signal: AbortSignal): Promise<Result> {
    const namespace = await ownNamespace(workspace, { client, namespaces }, signal)
    const waitsFor = namespace && (await empty(workspace, namespace, signal))
    if (waitsFor === undefined) {
      await removeFinalizer(client, workspaceKind, workspace, finalizers.workspace, { signal })
      return undefined
    }
    const message = `It is being deleted, and waits for ${waitsFor}.`
    await report.say(workspace, { readiness: { phase: 'progressing', reason: 'Deleting', message } }, signal)
    return { requeueAfterMs: LOOK_AGAIN_MS }
  }

  /** What is still waited for; `undefined` once all is gone that is to go. */
  async function empty(workspace: Workspace, namespace: Namespace, signal: AbortSignal): Promise<string | undefined> {
    const { name, uid } = namespace.metadata
    const left = await clearOut(name, { client, vms, runs, credentials }, signal)
    if (left !== undefined) return left
    if (!isMadeByUs(namespace)) return void (await unfurnish(workspace, client, signal))
    try {
      if (!isDeleting(namespace)) await client.delete(namespaceType, { name }, { preconditions: { uid }, signal })
      return `the Namespace${whatKeeps(await client.get(namespaceType, { name }, { signal }))}`
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    name: 'workspace',
    concurrency: CONCURRENCY,
    reconcile,
    all: () => workspaces.list().map(keyOf),

    follow(wake) {
      const wakeLeaving = ({ metadata }: { readonly metadata: { readonly namespace?: string | undefined } }) => {
        const workspace = workspaces.get({ name: metadata.namespace ?? '' })
        if (workspace && isDeleting(workspace)) wake(keyOf(workspace), { afterMs: GATHER_MS })
      }
      workspaces.onChange(({ object }) => wake(keyOf(object)))
      namespaces.onChange(({ object }) => wake(keyOf(object)))
      vms.onChange(({ object }) => wakeLeaving(object))
      runs.onChange(({ object }) => wakeLeaving(object))
      credentials.onChange(({ object }) => wakeLeaving(object))
    },
  }
}

/** Deleted, and nothing of ours keeps it: only somebody else's finalizer does. */
function isLetGo(workspace: Workspace): boolean {
  return isDeleting(workspace) && !hasFinalizer(workspace, finalizers.workspace)
}

/** It is, its spec is, or its Namespace is. */
function isNew({ metadata, status }: Workspace, namespace: Namespace): boolean {
  return metadata.generation !== status?.observedGeneration || status?.namespaceUID !== namespace.metadata.uid
}

function ready(namespace: string): Readiness {
  return { phase: 'ready', reason: 'NamespaceReady', message: `The roles are bound in Namespace ${namespace}.` }
}

function notHeld({ metadata: { name } }: Workspace, { kind }: Exclude<Holding, { kind: 'held' }>): Readiness {
  if (kind === 'terminating') {
    const message = `Namespace ${name} is being deleted; it is made again when it is gone.`
    return { phase: 'progressing', reason: 'NamespaceTerminating', message }
  }
  const message = `There is a Namespace ${name} already: label it skyclust.io/workspace=${name} to give it to this Workspace, or choose another name.`
  return { phase: 'stalled', reason: 'NamespaceTaken', message }
}

/** The namespace controller's own words, such as which finalizers are still there. */
function whatKeeps({ status }: Namespace): string {
  const reasons = (status?.conditions ?? []).filter((one) => one.status === 'True').map(({ message }) => message)
  return reasons.length > 0 ? ` (${reasons.join('; ')})` : ''
}
