/**
 * Who may do what: the one table, and the only functions that read it.
 *
 * This is the first lock, judged on the cache so that a refusal is an answer of ours and costs nothing. The second is
 * Kubernetes' own RBAC, which decides every write because it is made as the caller.
 *
 * Whoever has no role in a workspace may not know of it: they get the answer for what does not exist.
 */
import type { User } from '../../crds/user.ts'
import type { Workspace, workspaceRoles } from '../../crds/workspace.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import type { Caller } from './caller.ts'

export type Role = 'owner' | (typeof workspaceRoles)[number]

/** Each may do what those below may. */
const rank = { viewer: 1, member: 2, admin: 3, owner: 4 } as const satisfies Record<Role, number>

/** What may be done in a workspace, and from which role on. */
export const workspaceActions = {
  'workspace.read': 'viewer',
  'workspace.edit': 'admin',
  'workspace.delete': 'owner',
  'members.edit': 'admin',
  'credential.read': 'viewer',
  'credential.edit': 'admin',
  'instances.read': 'viewer',
  'vm.read': 'viewer',
  'vm.edit': 'member',
  'run.read': 'viewer',
  'run.make': 'member',
} as const satisfies Record<string, Role>

export type WorkspaceAction = keyof typeof workspaceActions

/** `undefined` for an outsider. Administrators of the installation may do everywhere what the owner may. */
export function roleIn(workspace: Workspace, caller: Caller): Role | undefined {
  const only = caller.session.spec.workspace
  if (only !== undefined && only !== workspace.metadata.name) return undefined
  const { owner, members = [], groups: memberGroups = [] } = workspace.spec
  if (caller.user.spec.admin || owner === caller.name) return 'owner'

  let role: Role | undefined
  for (const member of members) if (member.user === caller.name) role = member.role
  for (const { group, role: granted } of caller.groups.length === 0 ? [] : memberGroups) {
    if (caller.groups.includes(group) && (role === undefined || rank[granted] > rank[role])) role = granted
  }
  return role
}

export function mayIn(workspace: Workspace, caller: Caller, action: WorkspaceAction): boolean {
  const role = roleIn(workspace, caller)
  return role !== undefined && rank[role] >= rank[workspaceActions[action]]
}

/** Why {@link mayIn} said no: 404 for an outsider, 403 for a role that does not suffice. */
export function denial(workspace: Workspace | undefined, caller: Caller, action: WorkspaceAction): ApiError {
  const isOutsider = workspace === undefined || roleIn(workspace, caller) === undefined
  return isOutsider ? notFound() : new ApiError('FORBIDDEN', refused.roleNeeded(workspaceActions[action]))
}

export function requireAdmin(caller: Caller): void {
  if (!caller.isAdmin) throw new ApiError('FORBIDDEN', refused.adminsOnly)
}

/** Only oneself or an administrator; whoever may see the other one is told so, anybody else is not. */
export function requireSelfOrAdmin(caller: Caller, user: User, maySee: boolean): void {
  if (caller.isAdmin || caller.id === user.metadata.uid) return
  throw maySee ? new ApiError('FORBIDDEN', refused.notYourself) : notFound()
}

/** A token made for reading only changes nothing. */
export function requireWriteScope(caller: Caller): void {
  const { scope } = caller.session.spec
  if (scope !== undefined && !scope.includes('write')) throw new ApiError('FORBIDDEN', refused.readOnlyToken)
}
