/** A Workspace and its members as REST shows them. */
import { z } from '@hono/zod-openapi'
import { type Workspace, workspaceRoles } from '../../crds/workspace.ts'
import { time, uuid } from '../http/schemas.ts'
import type { Store } from '../store/store.ts'
import { updatedAt } from '../store/update-times.ts'
import { type WorkspaceEstimate, workspaceEstimateSchema } from './hourly-estimate.ts'

export const workspaceSchema = z
  .object({
    id: uuid,
    name: z.string(),
    description: z.string(),
    owner_id: uuid,
    created_at: time,
    updated_at: time,
    hourly_estimate: workspaceEstimateSchema,
  })
  .openapi('Workspace')

export const memberSchema = z
  .object({ user_id: uuid, email: z.string(), name: z.string(), role: z.enum(['owner', ...workspaceRoles]) })
  .openapi('Member')

/** `owner_id` is "" for an owner who is no User (any more). */
export function workspaceData(
  workspace: Workspace,
  { users, hourlyEstimate }: { readonly users: Store['users']; readonly hourlyEstimate: WorkspaceEstimate },
): z.output<typeof workspaceSchema> {
  const { metadata, spec } = workspace
  return {
    id: metadata.uid,
    name: spec.displayName ?? metadata.name,
    description: spec.description ?? '',
    owner_id: users.get({ name: spec.owner })?.metadata.uid ?? '',
    created_at: metadata.creationTimestamp,
    updated_at: updatedAt(workspace),
    hourly_estimate: hourlyEstimate,
  }
}

/** The owner first; those who are no Users (any more) are left out. */
export function membersData({ spec }: Workspace, users: Store['users']): z.output<typeof memberSchema>[] {
  const members = (spec.members ?? []).filter((member) => member.user !== spec.owner)
  return [{ user: spec.owner, role: 'owner' as const }, ...members].flatMap(({ user: name, role }) => {
    const user = users.get({ name })
    if (user === undefined) return []
    return [{ user_id: user.metadata.uid, email: user.spec.email, name: user.spec.displayName ?? name, role }]
  })
}
