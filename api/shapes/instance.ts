/** An instance as the cloud itself has it. */
import { z } from '@hono/zod-openapi'
import type { Instance, InstanceState } from '../../clouds/cloud.ts'
import { type VMState, vmStates } from '../../crds/vm.ts'
import { time } from '../http/schemas.ts'

export const instanceSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(vmStates),
    type: z.string(),
    region: z.string(),
    public_ip: z.string(),
    private_ip: z.string(),
    created_at: time.nullable(),
  })
  .openapi('Instance')

/** The words of VMs: an instance that is on its way out is stopping. */
const statuses = {
  pending: 'pending',
  running: 'running',
  stopping: 'stopping',
  stopped: 'stopped',
  terminating: 'stopping',
  terminated: 'terminated',
} as const satisfies Record<InstanceState, VMState>

export function instanceData(instance: Instance): z.output<typeof instanceSchema> {
  return {
    id: instance.id,
    name: instance.tags.Name ?? instance.name ?? '',
    status: statuses[instance.state],
    type: instance.instanceType,
    region: instance.region,
    public_ip: instance.publicIP,
    private_ip: instance.privateIP,
    created_at: instance.launchTime === '' ? null : instance.launchTime,
  }
}
