/**
 * The one request that makes an instance. Everything is asked for in it, tags included, so that there is never an
 * instance without the tags by which it is found again.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
 */
import type { _InstanceType, RunInstancesCommandInput, VolumeType } from '@aws-sdk/client-ec2'
import type { InstanceSpec } from '../cloud.ts'

export interface RunInstancesOptions {
  /** What the image calls its root device; needed only to give the root disk a size or a type. */
  readonly rootDeviceName?: string
}

export function runInstancesInput(spec: InstanceSpec, options: RunInstancesOptions = {}): RunInstancesCommandInput {
  const tags = Object.entries(spec.tags).map(([Key, Value]) => ({ Key, Value }))
  return {
    ImageId: spec.image,
    InstanceType: spec.instanceType as _InstanceType,
    MinCount: 1,
    MaxCount: 1,
    ClientToken: spec.token,
    // Volumes and interfaces cost money too: whoever sorts a bill by tags finds them.
    ...(tags.length > 0 && {
      TagSpecifications: (['instance', 'volume', 'network-interface'] as const).map((ResourceType) => ({
        ResourceType,
        Tags: tags,
      })),
    }),
    // Without a session token, a request forged through a web application in the VM reads its role's keys.
    MetadataOptions: { HttpTokens: 'required' },
    ...network(spec),
    ...(spec.zone && { Placement: { AvailabilityZone: spec.zone } }),
    ...rootDisk(spec, options),
    ...(spec.sshKeyName && { KeyName: spec.sshKeyName }),
    ...(spec.userData && { UserData: Buffer.from(spec.userData).toString('base64') }),
    ...(spec.instanceProfile && {
      IamInstanceProfile: spec.instanceProfile.startsWith('arn:')
        ? { Arn: spec.instanceProfile }
        : { Name: spec.instanceProfile },
    }),
    // A persistent request would launch a second instance by itself after an interruption.
    ...(spec.marketType === 'Spot' && {
      InstanceMarketOptions: {
        MarketType: 'spot',
        SpotOptions: { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' },
      },
    }),
  }
}

/** Whether there is a public address can only be said on an interface, and then the subnet and the groups are its too. */
function network({ publicIP, subnetId, securityGroupIds = [] }: InstanceSpec): Partial<RunInstancesCommandInput> {
  if (publicIP === undefined) {
    return {
      ...(subnetId && { SubnetId: subnetId }),
      ...(securityGroupIds.length > 0 && { SecurityGroupIds: [...securityGroupIds] }),
    }
  }
  return {
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        AssociatePublicIpAddress: publicIP,
        DeleteOnTermination: true,
        ...(subnetId && { SubnetId: subnetId }),
        ...(securityGroupIds.length > 0 && { Groups: [...securityGroupIds] }),
      },
    ],
  }
}

function rootDisk(
  { rootDisk: disk }: InstanceSpec,
  { rootDeviceName }: RunInstancesOptions,
): Partial<RunInstancesCommandInput> {
  if (!rootDeviceName || !wantsRootDisk(disk)) return {}
  return {
    BlockDeviceMappings: [
      {
        DeviceName: rootDeviceName,
        Ebs: {
          DeleteOnTermination: true,
          ...(disk?.sizeGiB && { VolumeSize: disk.sizeGiB }),
          ...(disk?.type && { VolumeType: disk.type as VolumeType }),
        },
      },
    ],
  }
}

export function wantsRootDisk(disk: InstanceSpec['rootDisk']): boolean {
  return disk?.sizeGiB !== undefined || Boolean(disk?.type)
}
