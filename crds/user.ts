/** User: a person who may log in. The password is elsewhere, as a hash in a Secret of the installation's namespace. */
import { z } from 'zod'
import { ageColumn, conditions, observedGeneration, readyColumn, reasonColumn, rules } from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'

const spec = z
  .object({
    email: z
      .string()
      .min(3)
      .max(254)
      .meta(
        rules({
          rule: "self.matches('^[^@\\\\s]+@[^@\\\\s]+$')",
          message: 'spec.email must be one e-mail address, such as alice@example.com',
        }),
      )
      .describe('E-mail address to log in with; unique among all Users, whatever its case.'),
    displayName: z.string().max(128).optional().describe('The name that people see. Default: metadata.name.'),
    admin: z
      .boolean()
      .default(false)
      .describe('Whether this is an administrator of the installation, who may do everything in every workspace.'),
    disabled: z
      .boolean()
      .default(false)
      .describe('Whether this user is shut out: no login, no session and no request counts while it is set.'),
  })
  .describe('Who it is.')

const status = z
  .object({ observedGeneration: observedGeneration.optional(), conditions: conditions.optional() })
  .describe('What the controller has made of it.')

export const userKind = defineKind({
  kind: 'User',
  singular: 'user',
  plural: 'users',
  scope: 'Cluster',
  description:
    'A person who may use SkyClust. Kubernetes knows them as skyclust:<metadata.name>; disabling or deleting one takes effect at once.',
  spec,
  status,
  columns: [
    { name: 'Email', type: 'string', jsonPath: '.spec.email', description: 'Address to log in with.' },
    { name: 'Admin', type: 'boolean', jsonPath: '.spec.admin', description: 'Whether an administrator.' },
    { name: 'Disabled', type: 'boolean', jsonPath: '.spec.disabled', description: 'Whether shut out.' },
    readyColumn,
    reasonColumn,
    ageColumn,
  ],
})

export type User = ObjectOf<typeof userKind>
