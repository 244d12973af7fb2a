/**
 * The one request that makes an instance. Everything is asked for in it, labels included, so that there is never an instance
 * without the labels by which it is found again.
 *
 * @see https://cloud.google.com/compute/docs/reference/rest/v1/instances/insert
 */
import type { InstanceSpec } from '../cloud.ts'
import { CloudError } from '../cloud-error.ts'
import { CLOUD_PLATFORM_SCOPE } from './identity.ts'
import { metadataKeys } from './instances.ts'
import { labelsFrom } from './labels.ts'
import { instanceName } from './names.ts'

export interface Place {
  readonly project: string
  readonly region: string
  readonly zone: string
}

export function insertInstanceBody(spec: InstanceSpec, place: Place) {
  if (spec.sshKeyName) throw noKeyPairs(spec.sshKeyName)
  const labels = labelsFrom(spec.tags)
  return {
    name: instanceName(spec.token),
    machineType: `zones/${place.zone}/machineTypes/${spec.instanceType}`,
    labels,
    disks: [
      {
        boot: true,
        autoDelete: true,
        initializeParams: {
          sourceImage: imageLink(spec.image, place.project),
          ...(spec.rootDisk?.sizeGiB && { diskSizeGb: String(spec.rootDisk.sizeGiB) }),
          ...(spec.rootDisk?.type && { diskType: `zones/${place.zone}/diskTypes/${spec.rootDisk.type}` }),
          // Disks cost money too: whoever sorts a bill by labels finds them.
          labels,
        },
      },
    ],
    networkInterfaces: [networkInterface(spec, place)],
    ...(spec.securityGroupIds?.length && { tags: { items: [...spec.securityGroupIds] } }),
    metadata: {
      items: [
        { key: metadataKeys.token, value: spec.token },
        { key: metadataKeys.image, value: spec.image },
        ...(spec.userData ? [{ key: userDataKey(spec.userData), value: spec.userData }] : []),
      ],
    },
    // Without one named it has none: the project's default account may do far too much.
    ...(spec.instanceProfile && { serviceAccounts: [{ email: spec.instanceProfile, scopes: [CLOUD_PLATFORM_SCOPE] }] }),
    ...(spec.marketType === 'Spot' && {
      // Stopped, not deleted, when Google wants the room: its disk stays, and it is started again when there is room.
      scheduling: {
        provisioningModel: 'SPOT',
        instanceTerminationAction: 'STOP',
        onHostMaintenance: 'TERMINATE',
        automaticRestart: false,
      },
    }),
  }
}

/** Left out, an instance has a public address, as with Google's console and gcloud. */
function networkInterface({ subnetId, publicIP = true }: InstanceSpec, { project, region }: Place) {
  return {
    ...(subnetId ? { subnetwork: subnetLink(subnetId, { project, region }) } : { network: 'global/networks/default' }),
    ...(publicIP && { accessConfigs: [{ name: 'External NAT', type: 'ONE_TO_ONE_NAT' }] }),
  }
}

function subnetLink(subnet: string, { project, region }: Pick<Place, 'project' | 'region'>): string {
  if (subnet.includes('/')) return withoutRoot(subnet)
  return `projects/${project}/regions/${region}/subnetworks/${subnet}`
}

/**
 * An image as people write it: a URL, `projects/…`, `global/images/…`, `family/<family>` and `<image>` of the project itself,
 * `<project>/<family>` of another.
 * @see https://cloud.google.com/compute/docs/images/image-families-best-practices
 */
export function imageLink(image: string, project: string): string {
  const link = withoutRoot(image)
  if (/^(projects|global)\//.test(link)) return link
  const [first = '', second, ...more] = link.split('/')
  if (second === undefined) return `projects/${project}/global/images/${first}`
  const family = first === 'family' ? [project, [second, ...more].join('/')] : [first, [second, ...more].join('/')]
  return `projects/${family[0]}/global/images/family/${family[1]}`
}

/** `https://www.googleapis.com/compute/v1/projects/…` */
function withoutRoot(link: string): string {
  return link.replace(/^https?:\/\/[^/]+\/compute\/[a-z0-9]+\//, '')
}

/**
 * cloud-init reads `user-data`, and knows its own by the first line; anything else is for Google's guest agent, which every
 * image of theirs has.
 * @see https://docs.cloud-init.io/en/latest/explanation/format.html
 * @see https://cloud.google.com/compute/docs/instances/startup-scripts/linux
 */
function userDataKey(userData: string): 'user-data' | 'startup-script' {
  return /^(#cloud-|#include|#part-handler|## template:|Content-Type: multipart\/)/i.test(userData)
    ? 'user-data'
    : 'startup-script'
}

function noKeyPairs(name: string): CloudError {
  return new CloudError(`Google Cloud has no key pairs that an instance could name ("${name}").`, {
    class: 'invalid',
    code: 'SshKeyNameUnsupported',
    action: 'instances.insert',
    remedy: 'Leave spec.sshKeyName out; use OS Login, keys in the metadata of the project, or user data.',
  })
}
