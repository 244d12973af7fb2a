import { workspaceKind } from '../../crds/workspace.ts'
import { describeRules } from './describe-rules.ts'

describeRules({
  kind: workspaceKind,
  valid: { owner: 'alice' },
  fields: [
    {
      field: 'an owner',
      admits: { owner: 'alice.smith-2' },
      refuses: { owner: 'Alice Smith' },
      says: "spec.owner must be the name of a User object: lower-case letters, digits, '-' and '.'",
    },
    {
      field: 'members',
      admits: { members: [{ user: 'bob', role: 'member' }] },
      refuses: { members: [{ user: 'bob@example.com', role: 'member' }] },
      says: 'spec.members[].user must be the name of a User object',
    },
    {
      field: 'groups',
      admits: { groups: ['platform', 'system:serviceaccounts:argocd'].map((group) => ({ group, role: 'viewer' })) },
      refuses: { groups: [{ group: 'system:authenticated', role: 'viewer' }] },
      says: "spec.groups[].group must be a group of your users, or one namespace's service accounts",
    },
  ],
  names: [
    { admits: 'team-a', refuses: 'team.a', says: 'metadata.name of a Workspace has no dots' },
    { admits: 'my-default', refuses: 'default', says: 'metadata.name of a Workspace becomes that of a Namespace' },
    { admits: 'kubernetes', refuses: 'kube-public', says: 'metadata.name of a Workspace becomes that of a Namespace' },
    {
      admits: 'skyclust',
      refuses: 'skyclust-system',
      says: 'metadata.name of a Workspace becomes that of a Namespace',
    },
  ],
  changes: [],
})
