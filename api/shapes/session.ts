/** A Session as REST shows it: a login or an API token, never the token itself. */
import { z } from '@hono/zod-openapi'
import type { Session } from '../../crds/session.ts'
import { sessionScopes } from '../../crds/session.ts'
import { wholeSeconds } from '../../kube/conditions.ts'
import { time, uuid } from '../http/schemas.ts'
import type { Store } from '../store/store.ts'

export const sessionSchema = z
  .object({
    id: uuid,
    kind: z.enum(['login', 'token']),
    name: z.string().openapi({ description: 'What its user calls it; "" for a login.' }),
    scope: z.array(z.enum(sessionScopes)).openapi({ description: 'A login has both.' }),
    workspace_id: z.string().openapi({ description: 'The only workspace it may see; "" for all.' }),
    created_at: time,
    expires_at: time,
    user_agent: z.string(),
    source_ip: z.string(),
    current: z.boolean().openapi({ description: 'Whether this call was made with it.' }),
  })
  .openapi('Session')

export function sessionData(
  session: Session,
  { current, workspaces }: { readonly current: Session; readonly workspaces: Store['workspaces'] },
): z.output<typeof sessionSchema> {
  const { metadata, spec } = session
  const only = spec.workspace === undefined ? undefined : workspaces.get({ name: spec.workspace })
  return {
    id: metadata.uid,
    kind: spec.kind === 'Token' ? 'token' : 'login',
    name: spec.displayName ?? '',
    scope: [...(spec.scope ?? sessionScopes)],
    workspace_id: only?.metadata.uid ?? '',
    created_at: wholeSeconds(new Date(spec.createdAt)),
    expires_at: wholeSeconds(new Date(spec.expiresAt)),
    user_agent: spec.userAgent ?? '',
    source_ip: spec.sourceIP ?? '',
    current: metadata.uid === current.metadata.uid,
  }
}
