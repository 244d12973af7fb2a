/** What a create asks for, from the VM's spec. Empty fields leave the choice to the cloud. */
import type { InstanceSpec } from '../../clouds/cloud.ts'
import type { VM } from '../../crds/vm.ts'
import { wantedTags } from './identity.ts'
import type { CreateIntent } from './intent.ts'

export function instanceSpec(
  vm: VM,
  {
    intent,
    clusterUID,
    userData,
  }: { readonly intent: CreateIntent; readonly clusterUID: string; readonly userData: string | undefined },
): InstanceSpec {
  const { network, rootDisk, ...spec } = vm.spec
  const zone = spec.zone || intent.zone
  return {
    token: intent.token,
    series: intent.firstStartedAt,
    tags: wantedTags(vm, clusterUID),
    instanceType: spec.instanceType,
    image: spec.image,
    marketType: spec.marketType,
    ...(zone && { zone }),
    ...(network?.subnetID && { subnetId: network.subnetID }),
    ...(network?.securityGroupIDs?.length && { securityGroupIds: network.securityGroupIDs }),
    ...(network?.publicIP !== undefined && { publicIP: network.publicIP }),
    ...(rootDisk && {
      rootDisk: {
        ...(rootDisk.sizeGiB !== undefined && { sizeGiB: rootDisk.sizeGiB }),
        ...(rootDisk.type && { type: rootDisk.type }),
      },
    }),
    ...(spec.sshKeyName && { sshKeyName: spec.sshKeyName }),
    ...(userData !== undefined && { userData }),
    ...(spec.instanceProfile && { instanceProfile: spec.instanceProfile }),
  }
}
