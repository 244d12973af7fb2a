/**
 * Session: a login or an API token that is in force. It lives in the installation's namespace, belongs to its User, and
 * ends when it is deleted. There is no secret in it: its name is the `jti` of a token that only its bearer has.
 */
import { z } from 'zod'
import { ageColumn, objectName, rules, time } from './fields.ts'
import { defineKind, type ObjectOf } from './kind.ts'

export const sessionKinds = ['Login', 'Token'] as const
export const sessionScopes = ['read', 'write'] as const

const spec = z
  .object({
    user: objectName('spec.user', 'a User object').describe('Name of the User object.'),
    userUID: z.string().max(128).describe('UID of that User object: another one of the same name is somebody else.'),
    kind: z.enum(sessionKinds).describe('Login: somebody logged in. Token: made for a script.'),
    displayName: z.string().max(128).optional().describe('What the user calls the token.'),
    scope: z
      .array(z.enum(sessionScopes))
      .max(2)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('What the bearer may do; left out: all that the user may.'),
    workspace: objectName('spec.workspace', 'a Workspace')
      .optional()
      .describe('Name of the only Workspace that the bearer may see; left out: all that the user may.'),
    groups: z
      .array(z.string().min(1).max(256))
      .max(100)
      .optional()
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe('Groups that the identity provider named at the login and the operator lets through.'),
    createdAt: time.describe('When it began.'),
    expiresAt: time.describe('When it ends by itself.'),
    userAgent: z.string().max(512).optional().describe('The program that logged in, as it calls itself.'),
    sourceIP: z.string().max(64).optional().describe('The address that the login came from.'),
  })
  .meta(rules({ rule: 'self == oldSelf', message: 'spec of a Session cannot be changed: delete it and log in again' }))
  .describe('Who may do what, and until when.')

export const sessionKind = defineKind({
  kind: 'Session',
  singular: 'session',
  plural: 'sessions',
  scope: 'Namespaced',
  description: 'A login or an API token that is in force. Deleting it ends it at once, on every replica of the facade.',
  spec,
  columns: [
    { name: 'User', type: 'string', jsonPath: '.spec.user', description: 'Whose it is.' },
    { name: 'Kind', type: 'string', jsonPath: '.spec.kind', description: 'A login or a token.' },
    {
      name: 'Name',
      type: 'string',
      jsonPath: '.spec.displayName',
      description: 'What the user calls it.',
      priority: 1,
    },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expiresAt', description: 'When it ends by itself.' },
    ageColumn,
  ],
  selectableFields: ['.spec.user'],
})

export type Session = ObjectOf<typeof sessionKind>
