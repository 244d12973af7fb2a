/** What the routes of VMs take and answer; what they do is in `vms.ts`. */
import { createRoute, z } from '@hono/zod-openapi'
import { providers } from '../../crds/fields.ts'
import { vmStates } from '../../crds/vm.ts'
import { created, data, failures, jsonBody, list, message, notModified } from '../http/define-route.ts'
import { idempotencyKey, ifMatch, ifNoneMatch, prefer } from '../http/documented-headers.ts'
import { pageQuery } from '../http/pagination.ts'
import { dnsLabel, notEmpty, pathId, reference, text } from '../http/schemas.ts'
import { vmDetailSchema, vmSchema } from '../shapes/vm.ts'

const tags = ['VMs']
const params = z.object({ id: pathId })

export const createVm = createRoute({
  tags,
  method: 'post',
  path: '/vms',
  summary: 'Make a VM',
  description:
    'Waits for the cloud to give the `instance_id`: 5 seconds, `Prefer: wait=N` up to 60, `Prefer: respond-async` not at all.',
  request: {
    headers: idempotencyKey.extend(prefer.shape),
    body: jsonBody(
      z.strictObject({
        workspace_id: reference,
        name: dnsLabel,
        provider: z.enum(providers),
        instance_type: text({ min: 1, max: 64 }),
        region: text({ min: 1, max: 63 }),
        image_id: text({ min: 1, max: 512 }),
        credential_id: reference.optional().openapi({ description: 'Needed when the workspace has several.' }),
      }),
    ),
  },
  responses: { 201: created('The new VM.', vmSchema), ...failures },
})

export const listVms = createRoute({
  tags,
  method: 'get',
  path: '/vms',
  summary: 'VMs of a workspace, or of all the caller’s workspaces',
  request: {
    query: z.strictObject({
      workspace_id: reference.optional(),
      status: z.enum(vmStates).optional(),
      provider: z.enum(providers).optional(),
      name: z.string().max(63).optional(),
      ...pageQuery,
    }),
  },
  responses: { 200: list('Oldest first.', vmSchema), ...failures },
})

export const getVm = createRoute({
  tags,
  method: 'get',
  path: '/vms/{id}',
  summary: 'A VM',
  request: { params, headers: ifNoneMatch },
  responses: { 200: data('The VM.', vmDetailSchema), ...notModified, ...failures },
})

export function powerRoute(action: 'start' | 'stop', summary: string) {
  return createRoute({
    tags,
    method: 'post',
    path: `/vms/{id}/${action}`,
    summary,
    request: { params, headers: ifMatch },
    responses: { 200: message('The wish is recorded.'), ...failures },
  })
}

export const patchVm = createRoute({
  tags,
  method: 'patch',
  path: '/vms/{id}',
  summary: 'Change a VM',
  description:
    'Another type takes effect when the VM is stopped; until then it is shown as wanted, and the VM goes on as it is.',
  request: {
    params,
    headers: ifMatch,
    body: jsonBody(
      notEmpty({
        instance_type: text({ min: 1, max: 64 }).optional(),
        power: z.enum(['running', 'stopped']).optional(),
      }),
    ),
  },
  responses: { 200: data('The VM.', vmDetailSchema), ...failures },
})

export const deleteVm = createRoute({
  tags,
  method: 'delete',
  path: '/vms/{id}',
  summary: 'Delete a VM and terminate its instance',
  request: { params, headers: ifMatch },
  responses: { 200: message('The wish is recorded; until the instance is gone the VM is `stopping`.'), ...failures },
})
