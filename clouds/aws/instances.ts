/** EC2's description of an instance and its filters, in the words of `cloud.ts`. */
import type { Instance as Ec2Instance, Filter } from '@aws-sdk/client-ec2'
import type { Instance, InstanceFilter, InstanceState } from '../cloud.ts'

const states: Readonly<Record<string, InstanceState>> = {
  pending: 'pending',
  running: 'running',
  stopping: 'stopping',
  stopped: 'stopped',
  'shutting-down': 'terminating',
  terminated: 'terminated',
}

export function instanceFrom(described: Ec2Instance, region: string): Instance {
  return {
    id: described.InstanceId ?? '',
    state: states[described.State?.Name ?? ''] ?? 'pending',
    stateReason: described.StateReason?.Message ?? '',
    instanceType: described.InstanceType ?? '',
    image: described.ImageId ?? '',
    region,
    zone: described.Placement?.AvailabilityZone ?? '',
    publicIP: described.PublicIpAddress ?? '',
    privateIP: described.PrivateIpAddress ?? '',
    launchTime: described.LaunchTime?.toISOString().replace(/\.\d+Z$/, 'Z') ?? '',
    tags: Object.fromEntries((described.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
    token: described.ClientToken ?? '',
    marketType: described.InstanceLifecycle === 'spot' ? 'Spot' : 'OnDemand',
  }
}

export function filtersFrom(filter: InstanceFilter): Filter[] {
  switch (filter.kind) {
    case 'all':
      return []
    case 'tag':
      return [{ Name: `tag:${filter.key}`, Values: filter.values.map(literally) }]
    case 'token':
      return [{ Name: 'client-token', Values: filter.tokens.map(literally) }]
  }
}

/** `*` and `?` are wildcards in a filter's value, and a backslash takes that from them. */
function literally(value: string): string {
  return value.replace(/[\\*?]/g, '\\$&')
}
