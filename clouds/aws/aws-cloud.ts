/**
 * EC2 and STS as a `Cloud`. One call of ours is one request, apart from two that are remembered: an image's root
 * device, asked for once before the first create that sizes the disk, and a role's session.
 */
import type { DescribeInstancesCommandInput, EC2Client, Filter } from '@aws-sdk/client-ec2'
import type { Cloud, InstanceFilter, InstancePage, InstanceSpec } from '../cloud.ts'
import { CloudError } from '../cloud-error.ts'
import { pages } from '../pages.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { awsError } from './aws-error.ts'
import { type AwsConnections, type AwsIdentity, awsClients } from './clients.ts'
import { filtersFrom, instanceFrom } from './instances.ts'
import { DESCRIBE_PAGE, ec2Guarantees, ec2Limits } from './limits.ts'
import { isRegionCode, regionNamed } from './regions.ts'
import { runInstancesInput, wantsRootDisk } from './run-instances.ts'

export interface AwsCloudOptions {
  readonly identity: AwsIdentity
  readonly region: string
  /** Shared by all clouds of a process. */
  readonly connections: AwsConnections
  /** How long a call may take, from its beginning to the last byte of its answer. */
  readonly timeoutMs?: number
  /** How many instances a page of a listing holds, from 5 to 1,000. */
  readonly pageSize?: number
}

type Ec2Sdk = typeof import('@aws-sdk/client-ec2')
type SendOptions = { readonly abortSignal: AbortSignal }
type Attempt<T> = (options: SendOptions) => Promise<T>
type Send<Client, Sdk, T> = (client: Client, sdk: Sdk, options: SendOptions) => Promise<T>

/** Begins the cursor of a listing that is searched for tokens here. */
const SEARCHED = 'searched:'

/** Images whose root device is remembered; an AMI never changes it. */
const REMEMBERED_IMAGES = 1000

/** Throws a `CloudError` for a region that cannot be one: it would become part of a host name. */
export function awsCloud(options: AwsCloudOptions): Cloud {
  const { identity, region, connections, timeoutMs = 30_000, pageSize = DESCRIBE_PAGE } = options
  if (!isRegionCode(region)) {
    throw new CloudError(`"${region}" is not a region of AWS; one is called "us-east-1".`, {
      class: 'invalid',
      code: 'InvalidRegion',
      action: 'connect',
    })
  }
  const clients = awsClients({ identity, region, connections })
  const rootDevices = new Map<string, string>()

  /** One attempt, whose failure is told in the words of `cloud.ts`. */
  async function attempt<T>(action: string, signal: AbortSignal | undefined, send: Attempt<T>): Promise<T> {
    signal?.throwIfAborted()
    const tooLate = new AbortController()
    const timer = setTimeout(() => tooLate.abort(timedOut(timeoutMs)), timeoutMs)
    const either = signal ? AbortSignal.any([signal, tooLate.signal]) : tooLate.signal
    try {
      // The SDK heeds the signal while it sends and reads, but not while it looks for credentials.
      return await unlessAborted(send({ abortSignal: either }), either)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      const mutation = !/^(Describe|Get)/.test(action)
      throw awsError(tooLate.signal.aborted ? tooLate.signal.reason : error, { action, mutation })
    } finally {
      clearTimeout(timer)
    }
  }

  /** One request to EC2. */
  async function ec2<T>(action: string, signal: AbortSignal | undefined, send: Send<EC2Client, Ec2Sdk, T>): Promise<T> {
    const [client, sdk] = await Promise.all([clients.ec2(), import('@aws-sdk/client-ec2')])
    return attempt(action, signal, (options) => send(client, sdk, options))
  }

  async function describe(input: DescribeInstancesCommandInput, signal?: AbortSignal): Promise<InstancePage> {
    const { Reservations = [], NextToken } = await ec2('DescribeInstances', signal, (client, sdk, options) =>
      client.send(new sdk.DescribeInstancesCommand(input), options),
    )
    const instances = Reservations.flatMap(({ Instances = [] }) => Instances).map((one) => instanceFrom(one, region))
    return { instances, ...(NextToken && { next: NextToken }) }
  }

  const pageOf = (filters: readonly Filter[], cursor: string | undefined): DescribeInstancesCommandInput => ({
    MaxResults: pageSize,
    ...(filters.length > 0 && { Filters: [...filters] }),
    ...(cursor !== undefined && { NextToken: cursor }),
  })

  async function listPage(filter: InstanceFilter, cursor?: string, signal?: AbortSignal): Promise<InstancePage> {
    if (filter.kind === 'token' && cursor?.startsWith(SEARCHED)) return searchPage(filter.tokens, cursor, signal)
    try {
      return await describe(pageOf(filtersFrom(filter), cursor), signal)
    } catch (error) {
      if (filter.kind === 'token' && isNotOfEc2(error)) return searchPage(filter.tokens, SEARCHED, signal)
      throw error
    }
  }

  /**
   * Looks through everything for the tokens. moto does not know the filter `client-token` and answers it with a page
   * of HTML; then this gives the same answer at a higher price.
   */
  async function searchPage(tokens: readonly string[], cursor: string, signal?: AbortSignal): Promise<InstancePage> {
    const { instances, next } = await describe(pageOf([], cursor.slice(SEARCHED.length) || undefined), signal)
    return {
      instances: instances.filter(({ token }) => tokens.includes(token)),
      ...(next !== undefined && { next: `${SEARCHED}${next}` }),
    }
  }

  async function rootDeviceOf(image: string, signal?: AbortSignal): Promise<string> {
    const known = rootDevices.get(image)
    if (known !== undefined) return known
    const { Images = [] } = await ec2('DescribeImages', signal, (client, sdk, options) =>
      client.send(new sdk.DescribeImagesCommand({ ImageIds: [image] }), options),
    )
    const name = Images[0]?.RootDeviceName
    if (!name) {
      throw new CloudError(`The image id '[${image}]' does not exist, or has no root device whose disk could be set.`, {
        class: 'invalid',
        code: 'InvalidAMIID.NotFound',
        action: 'DescribeImages',
      })
    }
    if (rootDevices.size >= REMEMBERED_IMAGES) rootDevices.clear()
    rootDevices.set(image, name)
    return name
  }

  async function create(spec: InstanceSpec, signal?: AbortSignal) {
    const rootDeviceName = wantsRootDisk(spec.rootDisk) ? await rootDeviceOf(spec.image, signal) : undefined
    const input = runInstancesInput(spec, { ...(rootDeviceName !== undefined && { rootDeviceName }) })
    const { Instances = [] } = await ec2('RunInstances', signal, (client, sdk, options) =>
      client.send(new sdk.RunInstancesCommand(input), options),
    )
    const [made] = Instances
    if (!made?.InstanceId) {
      throw new CloudError('AWS answered without an instance.', {
        class: 'transient',
        action: 'RunInstances',
        outcomeUnknown: true,
      })
    }
    return instanceFrom(made, region)
  }

  return {
    provider: 'aws',
    region,
    guarantees: ec2Guarantees,
    limits: ec2Limits,

    async verify(signal) {
      const [client, sdk] = await Promise.all([clients.sts(), import('@aws-sdk/client-sts')])
      const { Account = '', Arn = '' } = await attempt('GetCallerIdentity', signal, (options) =>
        client.send(new sdk.GetCallerIdentityCommand({}), options),
      )
      if (!Account) {
        throw new CloudError('AWS answered without an account.', { class: 'transient', action: 'GetCallerIdentity' })
      }
      return { account: Account, identity: Arn }
    },

    async regions(signal) {
      const { Regions = [] } = await ec2('DescribeRegions', signal, (client, sdk, options) =>
        client.send(new sdk.DescribeRegionsCommand({ AllRegions: true }), options),
      )
      return Regions.map(({ RegionName = '' }) => regionNamed(RegionName)).sort((a, b) => (a.name < b.name ? -1 : 1))
    },

    listPage,
    list: (filter, signal) => pages(listPage, filter, signal),

    async get(instanceId, signal) {
      try {
        return (await describe({ InstanceIds: [instanceId] }, signal)).instances[0]
      } catch (error) {
        if (error instanceof CloudError && error.code.startsWith('InvalidInstanceID.')) return undefined
        throw error
      }
    },

    create,

    chooseZone: async () => undefined, // EC2 chooses, and knows where there is room

    async start(instanceIds, signal) {
      await ec2('StartInstances', signal, (client, sdk, options) =>
        client.send(new sdk.StartInstancesCommand({ InstanceIds: [...instanceIds] }), options),
      )
    },

    async stop(instanceIds, signal) {
      await ec2('StopInstances', signal, (client, sdk, options) =>
        client.send(new sdk.StopInstancesCommand({ InstanceIds: [...instanceIds] }), options),
      )
    },

    async terminate(instanceIds, signal) {
      await ec2('TerminateInstances', signal, (client, sdk, options) =>
        client.send(new sdk.TerminateInstancesCommand({ InstanceIds: [...instanceIds] }), options),
      )
    },

    async resize(instanceId, instanceType, signal) {
      const change = { InstanceId: instanceId, InstanceType: { Value: instanceType } }
      await ec2('ModifyInstanceAttribute', signal, (client, sdk, options) =>
        client.send(new sdk.ModifyInstanceAttributeCommand(change), options),
      )
    },

    async tag(instanceIds, tags, signal) {
      const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
      await ec2('CreateTags', signal, (client, sdk, options) =>
        client.send(new sdk.CreateTagsCommand({ Resources: [...instanceIds], Tags }), options),
      )
    },

    async untag(instanceIds, keys, signal) {
      const Tags = keys.map((Key) => ({ Key }))
      await ec2('DeleteTags', signal, (client, sdk, options) =>
        client.send(new sdk.DeleteTagsCommand({ Resources: [...instanceIds], Tags }), options),
      )
    },
  }
}

/** A 5xx that is not in the form of EC2's errors: what answers is something else. */
function isNotOfEc2(error: unknown): boolean {
  return error instanceof CloudError && error.class === 'transient' && error.code === '' && !error.outcomeUnknown
}

function timedOut(timeoutMs: number): Error {
  return Object.assign(new Error(`none within ${timeoutMs} ms`), { code: 'ETIMEDOUT' })
}
