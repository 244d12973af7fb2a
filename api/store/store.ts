/**
 * Everything the facade reads: caches of the whole cluster, by uid and by what REST asks for.
 *
 * Reads never go to the API server; what may not have arrived here yet is looked up exactly (see `exact-lookup.ts`). An
 * object belongs to a Workspace only if that Workspace says that the namespace is its own (`status.namespace`): somebody who
 * names a Workspace after a namespace that is not theirs sees nothing of it.
 */
import { type CostEstimate, costEstimateKind } from '../../crds/cost-estimate.ts'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { labels } from '../../crds/names.ts'
import { type Session, sessionKind } from '../../crds/session.ts'
import { type TofuRun, tofuRunKind } from '../../crds/tofu-run.ts'
import { type User, userKind } from '../../crds/user.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import { type Workspace, workspaceKind } from '../../crds/workspace.ts'
import { type Cache, cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { mayIn } from '../auth/authorization.ts'
import type { Caller } from '../auth/caller.ts'
import { oldestFirst } from '../http/pagination.ts'
import { comparableEmail } from '../installation-objects.ts'
import { type ChangeLog, changeLog } from '../live/change-log.ts'
import { type ExactLookup, exactLookup } from './exact-lookup.ts'
import { type OrderedLists, orderedLists } from './ordered-lists.ts'
import { noteUpdateTime } from './update-times.ts'

export interface Store {
  readonly workspaces: Cache<Workspace>
  readonly vms: Cache<VM>
  readonly credentials: Cache<Credential>
  readonly runs: Cache<TofuRun>
  readonly users: Cache<User>
  readonly sessions: Cache<Session>
  readonly estimates: Cache<CostEstimate>

  /** What changed lately among the VMs, for those who follow them. */
  readonly vmChanges: ChangeLog<VM>

  readonly workspaceById: ExactLookup<Workspace>
  readonly vmById: ExactLookup<VM>
  readonly credentialById: ExactLookup<Credential>
  readonly runById: ExactLookup<TofuRun>
  readonly userById: ExactLookup<User>

  /** Of one namespace, oldest first. */
  readonly vmsIn: OrderedLists<VM>
  readonly credentialsIn: OrderedLists<Credential>
  readonly runsIn: OrderedLists<TofuRun>
  /** Those of these Workspaces for one provider that are not being deleted. */
  credentialsOf(workspaces: readonly Workspace[], provider: string): readonly Credential[]

  /** The Workspace whose namespace this is. */
  workspaceOfNamespace(namespace: string | undefined): Workspace | undefined
  /** Workspaces in which the caller has a role by name or by group, oldest first; all for an administrator. */
  workspacesOf(caller: Caller): readonly Workspace[]
  /** Workspaces that the user owns or is a member of. */
  workspacesNaming(userName: string): readonly Workspace[]
  /** Users with that address, whatever its case, oldest first: `kubectl` can make two of them. */
  usersByEmail(email: string): readonly User[]
  sessionsOfUser(userUid: string): readonly Session[]

  readonly isSynced: boolean
  /** Since the cluster was last heard, by whichever of the caches has been deaf for longest. */
  staleMs(): number
  /** How long a watch has been known to be lost, at most; 0 while all are open. */
  cutOffMs(): number
  synced(signal: AbortSignal): Promise<void>
  /** Settles when everything has stopped after its signal was aborted. */
  readonly done: Promise<unknown>
}

export interface StoreOptions {
  readonly client: KubeClient
  /** Of the installation. */
  readonly namespace: string
  readonly signal: AbortSignal
}

export function store({ client, namespace, signal }: StoreOptions): Store {
  const options = { signal, transform: noteUpdateTime }
  const workspaces = cache<Workspace>(client, workspaceKind, {
    ...options,
    indexes: { user: usersOf, group: groupsOf },
  })
  const vmChanges = changeLog<VM>()
  const vms = cache<VM>(client, vmKind, {
    ...options,
    indexes: { idempotency: markOf },
    onChange: vmChanges.changed,
    onReflectorEvent: vmChanges.heard,
  })
  const credentials = cache<Credential>(client, credentialKind, { ...options, indexes: { idempotency: markOf } })
  const runs = cache<TofuRun>(client, tofuRunKind, { ...options, indexes: { idempotency: markOf } })
  const users = cache<User>(client, userKind, {
    ...options,
    indexes: { email: (user) => [comparableEmail(user.spec.email)] },
  })
  const sessions = cache<Session>(client, sessionKind, {
    ...options,
    namespace,
    indexes: { user: (session) => [session.spec.userUID] },
  })
  const estimates = cache<CostEstimate>(client, costEstimateKind, {
    ...options,
    namespace,
    indexes: { user: (estimate) => [estimate.spec.userUID] },
  })
  const credentialsIn = orderedLists(credentials)
  const caches = [workspaces, vms, credentials, runs, users, sessions, estimates]

  return {
    workspaces,
    vms,
    credentials,
    runs,
    users,
    sessions,
    estimates,
    vmChanges,
    workspaceById: exactLookup<Workspace>(client, workspaceKind, workspaces),
    vmById: exactLookup<VM>(client, vmKind, vms),
    credentialById: exactLookup<Credential>(client, credentialKind, credentials),
    runById: exactLookup<TofuRun>(client, tofuRunKind, runs),
    userById: exactLookup<User>(client, userKind, users),
    vmsIn: orderedLists(vms),
    credentialsIn,
    runsIn: orderedLists(runs),
    credentialsOf: (owners, provider) =>
      owners
        .flatMap(({ status }) => (status?.namespace === undefined ? [] : credentialsIn(status.namespace)))
        .filter(({ spec, metadata }) => spec.provider === provider && metadata.deletionTimestamp === undefined),
    workspaceOfNamespace(name = '') {
      const workspace = workspaces.get({ name })
      return workspace?.status?.namespace === name ? workspace : undefined
    },
    workspacesOf(caller) {
      const candidates = caller.user.spec.admin
        ? workspaces.list()
        : new Set([
            ...workspaces.index('user', caller.name),
            ...caller.groups.flatMap((group) => workspaces.index('group', group)),
          ])
      return [...candidates]
        .filter((one) => one.metadata.deletionTimestamp === undefined && mayIn(one, caller, 'workspace.read'))
        .sort(oldestFirst)
    },
    workspacesNaming: (userName) => workspaces.index('user', userName),
    usersByEmail: (email) => users.index('email', comparableEmail(email)).filter(isThere).toSorted(oldestFirst),
    sessionsOfUser: (userUid) => sessions.index('user', userUid),
    get isSynced() {
      return caches.every((one) => one.isSynced)
    },
    staleMs: () => Math.max(...caches.map((one) => one.freshness().staleMs)),
    cutOffMs: () =>
      Math.max(...caches.map((one) => one.freshness()).map(({ connected, staleMs }) => (connected ? 0 : staleMs))),
    synced: async (waiting) => void (await Promise.all(caches.map((one) => one.synced(waiting)))),
    done: Promise.all(caches.map((one) => one.done)),
  }
}

function usersOf({ spec }: Workspace): readonly string[] {
  return [spec.owner, ...(spec.members ?? []).map((member) => member.user)]
}

function groupsOf({ spec }: Workspace): readonly string[] {
  return (spec.groups ?? []).map((member) => member.group)
}

/** What it was made under, if its POST carried an Idempotency-Key. */
function markOf({ metadata }: VM | Credential | TofuRun): readonly string[] {
  const mark = metadata.labels?.[labels.idempotency]
  return mark === undefined ? [] : [mark]
}

/** A User whose deletion was asked for is gone, whatever finalizers still hold it. */
function isThere(user: User): boolean {
  return user.metadata.deletionTimestamp === undefined
}
