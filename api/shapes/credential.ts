/** A Credential as REST shows it: never a secret value, and not where it is kept. */
import { z } from '@hono/zod-openapi'
import type { Credential } from '../../crds/credential.ts'
import { providers } from '../../crds/fields.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { getCondition } from '../../kube/conditions.ts'
import { time, uuid } from '../http/schemas.ts'
import { updatedAt } from '../store/update-times.ts'

export const credentialSchema = z
  .object({
    id: uuid,
    workspace_id: uuid,
    provider: z.enum(providers),
    created_at: time,
    updated_at: time,
    region: z.string().openapi({ description: 'The default region; "" when there is none.' }),
    account: z.string().openapi({ description: 'The account or project, as the cloud says; "" until it has.' }),
    ready: z.boolean().openapi({ description: 'Whether the cloud has accepted it.' }),
    error: z.string().openapi({ description: 'Why it is not ready, in the cloud\'s words; "" when it is.' }),
  })
  .openapi('Credential')

export function credentialData(credential: Credential, workspace: Workspace): z.output<typeof credentialSchema> {
  const { metadata, spec, status } = credential
  const ready = getCondition(status?.conditions, 'Ready')
  return {
    id: metadata.uid,
    workspace_id: workspace.metadata.uid,
    provider: spec.provider,
    created_at: metadata.creationTimestamp,
    updated_at: updatedAt(credential),
    region: spec.region ?? '',
    account: status?.account ?? '',
    ready: ready?.status === 'True',
    error: ready?.status === 'False' ? ready.message : '',
  }
}
