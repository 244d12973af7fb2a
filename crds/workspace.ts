/** Workspace: a team's share of the installation, kept in one Namespace of the same name. */
import { z } from 'zod'
import {
  ageColumn,
  conditions,
  nameIsLabel,
  objectName,
  observedGeneration,
  readyColumn,
  reasonColumn,
  rules,
} from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'

export const workspaceRoles = ['admin', 'member', 'viewer'] as const
export type WorkspaceRole = (typeof workspaceRoles)[number]

const role = z
  .enum(workspaceRoles)
  .describe(
    'viewer reads; member also makes, changes and deletes VMs and runs; admin also manages the workspace, its members and Credentials.',
  )

const member = z.object({
  user: objectName('spec.members[].user', 'a User object').describe("The User object's name."),
  role,
})

const memberGroup = z.object({
  group: z
    .string()
    .min(1)
    .max(256)
    .meta(
      rules({
        rule: "!self.startsWith('system:') || self.startsWith('system:serviceaccounts:')",
        message:
          "spec.groups[].group must be a group of your users, or one namespace's service accounts " +
          '(system:serviceaccounts:<namespace>): other system: groups would let in everybody',
      }),
    )
    .describe("The group's name, as the cluster's authenticator says it."),
  role,
})

const ceiling = (what: string) =>
  z.int().min(0).max(1_000_000).optional().describe(`How many ${what} there may be; left out: as many as one likes.`)

const spec = z
  .object({
    displayName: z.string().max(128).optional().describe('The name that people see. Default: metadata.name.'),
    description: z.string().max(2048).optional().describe('What the workspace is for.'),
    owner: objectName('spec.owner', 'a User object').describe(
      'Name of the User object that owns the workspace: may do all that an admin may, and delete it. Only the owner or an administrator of the installation may hand it over.',
    ),
    members: z
      .array(member)
      .max(500)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['user'] })
      .describe('Users who may do something here, and what.'),
    groups: z
      .array(memberGroup)
      .max(100)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['group'] })
      .describe('Groups whose members may do something here, and what.'),
    quota: z
      .object({ vms: ceiling('VMs'), tofuRuns: ceiling('TofuRuns, finished ones included') })
      .optional()
      .describe('Ceilings; only an administrator of the installation may change them later.'),
  })
  .describe('What the team wants of its workspace.')

const status = z
  .object({
    namespace: z
      .string()
      .max(63)
      .optional()
      .describe('The Namespace that holds what is in the workspace; absent until it belongs to the workspace.'),
    namespaceUID: z
      .string()
      .max(128)
      .optional()
      .describe('UID of that Namespace: where it is another one, the roles are bound anew.'),
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional(),
  })
  .describe('What the controller has made of it.')

export const workspaceKind = defineKind({
  kind: 'Workspace',
  singular: 'workspace',
  plural: 'workspaces',
  shortNames: ['ws'],
  scope: 'Cluster',
  description:
    'A team and what it may use: one Namespace of the same name, the people who may work in it, and ceilings. Deleting it deletes all that is in it.',
  spec,
  status,
  rules: [
    nameIsLabel('Workspace'),
    {
      rule: "!(self.metadata.name in ['default', 'skyclust-system']) && !self.metadata.name.startsWith('kube-')",
      message:
        "metadata.name of a Workspace becomes that of a Namespace: 'default', 'skyclust-system' and 'kube-…' are taken, choose another",
      fieldPath: '.metadata.name',
    },
  ],
  columns: [
    { name: 'Display-Name', type: 'string', jsonPath: '.spec.displayName', description: 'The name that people see.' },
    { name: 'Owner', type: 'string', jsonPath: '.spec.owner', description: 'The User who owns it.' },
    { name: 'Namespace', type: 'string', jsonPath: '.status.namespace', description: 'Where its objects are.' },
    readyColumn,
    reasonColumn,
    ageColumn,
  ],
})

export type Workspace = ObjectOf<typeof workspaceKind>
