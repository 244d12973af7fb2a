/**
 * Who may do what in a Workspace, as Kubernetes objects: the installation's roles bound in its Namespace, and ClusterRoles
 * of its own for the Workspace object, which is cluster-scoped. Pure.
 *
 * All of them belong to the Workspace and go with it (garbage collection), also from a Namespace that stays.
 */
import { clusterRoles, group, kubernetesUser, labels, managedBy } from '../../crds/names.ts'
import type { Workspace, WorkspaceRole } from '../../crds/workspace.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, RoleBinding, Subject } from '../../kube/builtin-types.ts'
import type { Draft } from '../../kube/resource.ts'

const apiGroup = 'rbac.authorization.k8s.io'

/** What may be done with the Workspace object. Its owner's rights are the most that the controller itself must hold. */
const verbs = {
  owner: ['get', 'list', 'watch', 'update', 'patch', 'delete'],
  admin: ['get', 'list', 'watch', 'update', 'patch'],
  reader: ['get', 'list', 'watch'],
} as const
type Access = keyof typeof verbs

/** Something that is bound to people; with nobody to bind it to, it shall not be there. */
export interface Grant<T> {
  readonly draft: T
  readonly isWanted: boolean
}

export interface Grants {
  readonly roleBindings: readonly Grant<Draft<RoleBinding>>[]
  readonly clusterRoles: readonly Grant<Draft<ClusterRole>>[]
  readonly clusterRoleBindings: readonly Grant<Draft<ClusterRoleBinding>>[]
}

export function grantsOf(workspace: Workspace): Grants {
  const people = {
    admin: unique([user(workspace.spec.owner), ...having('admin', workspace)]),
    member: having('member', workspace),
    viewer: having('viewer', workspace),
  }
  const access: Record<Access, readonly Subject[]> = {
    owner: [user(workspace.spec.owner)],
    admin: having('admin', workspace),
    reader: [...people.member, ...people.viewer],
  }
  return {
    roleBindings: Object.entries(people).map(([role, subjects]) => {
      const name = clusterRoles[role as WorkspaceRole]
      const metadata = { ...metadataOf(workspace, name), namespace: workspace.metadata.name }
      return { draft: { metadata, roleRef: roleRef(name), subjects }, isWanted: subjects.length > 0 }
    }),
    clusterRoles: Object.entries(access).map(([level, subjects]) => ({
      draft: {
        metadata: metadataOf(workspace, roleName(workspace, level)),
        rules: [ruleFor(workspace, level as Access)],
      },
      isWanted: subjects.length > 0,
    })),
    clusterRoleBindings: Object.entries(access).map(([level, subjects]) => {
      const name = roleName(workspace, level)
      return {
        draft: { metadata: metadataOf(workspace, name), roleRef: roleRef(name), subjects },
        isWanted: subjects.length > 0,
      }
    }),
  }
}

function having(role: WorkspaceRole, { spec }: Workspace): readonly Subject[] {
  const users = (spec.members ?? []).filter((one) => one.role === role).map((one) => user(one.user))
  const groups = (spec.groups ?? []).filter((one) => one.role === role)
  return [...users, ...groups.map((one): Subject => ({ apiGroup, kind: 'Group', name: one.group }))]
}

function user(name: string): Subject {
  return { apiGroup, kind: 'User', name: kubernetesUser(name) }
}

function unique(subjects: readonly Subject[]): readonly Subject[] {
  return [...new Map(subjects.map((subject) => [`${subject.kind} ${subject.name}`, subject])).values()]
}

function ruleFor({ metadata: { name } }: Workspace, level: Access): PolicyRule {
  return { apiGroups: [group], resources: ['workspaces'], resourceNames: [name], verbs: verbs[level] }
}

function roleRef(name: string) {
  return { apiGroup, kind: 'ClusterRole' as const, name }
}

function roleName({ metadata }: Workspace, level: string): string {
  return `skyclust-workspace-${metadata.name}-${level}`
}

function metadataOf(workspace: Workspace, name: string) {
  const { apiVersion, kind, metadata } = workspace
  return {
    name,
    labels: { [labels.managedBy]: managedBy, [labels.workspace]: metadata.name },
    ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }],
  }
}
