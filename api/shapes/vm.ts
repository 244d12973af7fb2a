/**
 * A VM as REST shows it, as JSON text.
 *
 * An object in the cache never changes, so its text is made once and kept for as long as the object and the prices are: a
 * read costs a lookup, however often it is asked for.
 */
import { z } from '@hono/zod-openapi'
import { providers } from '../../crds/fields.ts'
import { type VM, vmStates } from '../../crds/vm.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { JsonText } from '../http/envelope.ts'
import { time, uuid } from '../http/schemas.ts'
import { type KnownPrices, vmEstimate, vmEstimateSchema } from './hourly-estimate.ts'
import { problemOf, vmStatus } from './vm-status.ts'

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
    hourly_estimate: vmEstimateSchema
      .nullable()
      .openapi({ description: 'On-Demand list price, Linux, without disks; null when it is not known.' }),
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
  /** Of the prices. */
  readonly version: number
  summary?: JsonText<VMData>
  detail?: JsonText<VMDetail>
}

const texts = new WeakMap<VM, Texts>()

export function vmText(vm: VM, workspace: Workspace, prices: KnownPrices): JsonText<VMData> {
  const known = textsOf(vm, workspace, prices)
  known.summary ??= JSON.stringify(vmData(vm, workspace, prices))
  return known.summary
}

export function vmDetailText(vm: VM, workspace: Workspace, prices: KnownPrices): JsonText<VMDetail> {
  const known = textsOf(vm, workspace, prices)
  known.detail ??= JSON.stringify(vmDetail(vm, workspace, prices))
  return known.detail
}

function textsOf(vm: VM, workspace: Workspace, { version }: KnownPrices): Texts {
  let known = texts.get(vm)
  if (known?.workspaceId !== workspace.metadata.uid || known.version !== version) {
    known = { workspaceId: workspace.metadata.uid, version }
    texts.set(vm, known)
  }
  return known
}

export function vmData(vm: VM, workspace: Workspace, prices: KnownPrices): VMData {
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
    hourly_estimate: vmEstimate(vm, prices),
    ...(deletedAt !== undefined && { deleted_at: deletedAt }),
  }
}

function vmDetail(vm: VM, workspace: Workspace, prices: KnownPrices): VMDetail {
  return {
    ...vmData(vm, workspace, prices),
    public_ip: vm.status?.publicIP ?? '',
    private_ip: vm.status?.privateIP ?? '',
  }
}
