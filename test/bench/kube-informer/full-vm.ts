/** A VM as a cluster in use has them: most fields set, and the status of a running instance; 2 to 3 kB of JSON. */
import type { VM } from '../../../crds/vm.ts'
import type { Draft } from '../../../kube/resource.ts'

export function fullVm(index: number, namespaces: readonly string[]): Draft<VM> {
  const namespace = namespaces[index % namespaces.length] ?? ''
  return {
    metadata: {
      namespace,
      name: `web-${index}`,
      labels: { 'app.kubernetes.io/managed-by': 'argocd', app: 'web', tier: 'frontend' },
      annotations: { 'example.com/owner': 'platform-team' },
      finalizers: ['skyclust.io/vm'],
    },
    spec: {
      provider: 'aws',
      credentialRef: { name: 'aws-main' },
      region: 'us-east-1',
      zone: 'us-east-1a',
      instanceType: 't3.micro',
      image: 'ami-0abcdef1234567890',
      network: { subnetID: 'subnet-0123456789abcdef0', securityGroupIDs: ['sg-0123456789abcdef0'], publicIP: true },
      rootDisk: { sizeGiB: 20, type: 'gp3' },
      sshKeyName: 'ops',
      tags: { team: namespace, env: 'production', service: `web-${index}` },
    },
  }
}

export function fullVmStatus(index: number): VM['status'] {
  const lastTransitionTime = '2026-01-01T00:00:00Z'
  const condition = (type: string, reason: string, message: string) => ({
    ...{ type, status: 'True' as const, reason, message, observedGeneration: 1, lastTransitionTime },
  })
  const octets = `${(index >> 8) & 255}.${index & 255}`
  return {
    instanceID: `i-${index.toString(16).padStart(17, '0')}`,
    state: 'running',
    zone: 'us-east-1a',
    instanceType: 't3.micro',
    publicIP: `203.0.${octets}`,
    privateIP: `10.0.${octets}`,
    observedGeneration: 1,
    conditions: [
      condition('Ready', 'Running', 'The instance is as the spec wants it.'),
      condition('Synced', 'Synced', 'The cloud was observed.'),
    ],
  }
}
