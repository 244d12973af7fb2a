/**
 * A VM as REST shows it, as JSON text.
 *
 * An object in the cache never changes, so its text is made once and kept for as long as the object is: a read costs a
 * lookup, however often it is asked for.
 */
import { z } from '@hono/zod-openapi'
import { providers } from '../../crds/fields.ts'
import { type VM, type VMState, vmStates } from '../../crds/vm.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { getCondition, isTrue } from '../../kube/conditions.ts'
import type { JsonText } from '../http/envelope.ts'
import { time, uuid } from '../http/schemas.ts'

export const vmSchema = z
  .object({
    id: uuid,
    workspace_id: uuid,
    name: z.string(),
    provider: z.enum(providers),
    instance_id: z.string().openapi({ description: 'The id at the cloud; "" until it has given one.' }),
    status: z.enum(vmStates),
    created_at: time,
    instance_type: z.string(),
    region: z.string().openapi({ description: '"" until it is known, when the Credential decides.' }),
    image_id: z.string(),
    error: z.string().openapi({ description: 'What is wrong, in the cloud\'s words; "" when nothing is.' }),
    deleted_at: time.optional().openapi({ description: 'When its deletion was asked for.' }),
  })
  .openapi('VM')

export const vmDetailSchema = vmSchema
  .extend({
    public_ip: z.string().openapi({ description: '"" until the cloud has given one.' }),
    private_ip: z.string().openapi({ description: '"" until the cloud has given one.' }),
  })
  .openapi('VMDetail')

export type VMData = z.output<typeof vmSchema>
export type VMDetail = z.output<typeof vmDetailSchema>

interface Texts {
  readonly workspaceId: string
  summary?: JsonText<VMData>
  detail?: JsonText<VMDetail>
}

const texts = new WeakMap<VM, Texts>()

export function vmText(vm: VM, workspace: Workspace): JsonText<VMData> {
  const known = textsOf(vm, workspace)
  known.summary ??= JSON.stringify(vmData(vm, workspace))
  return known.summary
}

export function vmDetailText(vm: VM, workspace: Workspace): JsonText<VMDetail> {
  const known = textsOf(vm, workspace)
  known.detail ??= JSON.stringify(vmDetail(vm, workspace))
  return known.detail
}

function textsOf(vm: VM, workspace: Workspace): Texts {
  let known = texts.get(vm)
  if (known?.workspaceId !== workspace.metadata.uid) {
    known = { workspaceId: workspace.metadata.uid }
    texts.set(vm, known)
  }
  return known
}

export function vmData(vm: VM, workspace: Workspace): VMData {
  const { metadata, spec, status } = vm
  const deletedAt = metadata.deletionTimestamp
  return {
    id: metadata.uid,
    workspace_id: workspace.metadata.uid,
    name: metadata.name,
    provider: spec.provider,
    instance_id: status?.instanceID ?? '',
    status: vmStatus(vm),
    created_at: metadata.creationTimestamp,
    instance_type: spec.instanceType,
    region: status?.region ?? spec.region ?? '',
    image_id: spec.image,
    error: problemOf(status),
    ...(deletedAt !== undefined && { deleted_at: deletedAt }),
  }
}

function vmDetail(vm: VM, workspace: Workspace): VMDetail {
  return {
    ...vmData(vm, workspace),
    public_ip: vm.status?.publicIP ?? '',
    private_ip: vm.status?.privateIP ?? '',
  }
}

/** While the cloud still winds a deleted VM down, it is `stopping`; then it is gone. */
export function vmStatus({ metadata, status }: VM): VMState {
  if (metadata.deletionTimestamp !== undefined) return 'stopping'
  return status?.state ?? (isStalled(status) ? 'error' : 'pending')
}

/** What only somebody can mend says why; so does an instance that came to nothing. */
function problemOf(status: VM['status']): string {
  if (isStalled(status)) return getCondition(status?.conditions, 'Stalled')?.message ?? ''
  const ready = getCondition(status?.conditions, 'Ready')
  return status?.state === 'error' && ready?.status === 'False' ? ready.message : ''
}

function isStalled(status: VM['status']): boolean {
  return isTrue(status?.conditions, 'Stalled')
}
