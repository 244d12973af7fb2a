/** A User as REST shows it. */
import { z } from '@hono/zod-openapi'
import type { User } from '../../crds/user.ts'
import { time, uuid } from '../http/schemas.ts'
import { updatedAt } from '../store/update-times.ts'

export const userSummarySchema = z.object({ id: uuid, email: z.string(), name: z.string() }).openapi('UserSummary')

export const userSchema = userSummarySchema
  .extend({ created_at: time, updated_at: time, admin: z.boolean(), disabled: z.boolean() })
  .openapi('User')

export function userSummary({ metadata, spec }: User): z.output<typeof userSummarySchema> {
  return { id: metadata.uid, email: spec.email, name: spec.displayName ?? metadata.name }
}

export function userData(user: User): z.output<typeof userSchema> {
  const { admin, disabled } = user.spec
  return {
    ...userSummary(user),
    created_at: user.metadata.creationTimestamp,
    updated_at: updatedAt(user),
    admin,
    disabled,
  }
}
