/**
 * What is sent to EC2, parameter by parameter, where moto would not notice a mistake.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html and its neighbours
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { awsProvider } from '../../clouds/aws/provider.ts'
import type { Cloud, InstanceSpec } from '../../clouds/cloud.ts'
import { type RecordingServer, recordingServer, succeed } from './recording-server.ts'

const minimal: InstanceSpec = {
  token: '6f1ed002-ab5d-42e5-8d93-2a6f6a3f0b1a-1',
  tags: {},
  instanceType: 't3.micro',
  image: 'ami-0abcdef1234567890',
  marketType: 'OnDemand',
}

const always = {
  ImageId: 'ami-0abcdef1234567890',
  InstanceType: 't3.micro',
  MinCount: '1',
  MaxCount: '1',
  ClientToken: minimal.token,
  'MetadataOptions.HttpTokens': 'required',
}

describe('what is sent to EC2', () => {
  let ec2: RecordingServer
  let cloud: Cloud

  beforeEach(async () => {
    ec2 = await recordingServer()
    vi.stubEnv('AWS_ENDPOINT_URL_EC2', ec2.url)
    cloud = awsProvider().connect({ secret: { access_key: 'AKIDEXAMPLE\n', secret_key: 'secret' } }, 'us-east-1')
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await ec2[Symbol.asyncDispose]()
  })

  async function created(more: Partial<InstanceSpec>): Promise<Record<string, string> | undefined> {
    await cloud.create({ ...minimal, ...more })
    return ec2.parametersOf('RunInstances')[0]
  }

  it('asks for exactly one instance, with a token, and metadata only for those who have a session', async () => {
    expect(await created({})).toEqual(always)
  })

  it('tags the instance, its volumes and its interface in the request that makes them', async () => {
    expect(await created({ tags: { 'skyclust.io/vm-uid': 'u' } })).toEqual({
      ...always,
      'TagSpecification.1.ResourceType': 'instance',
      'TagSpecification.1.Tag.1.Key': 'skyclust.io/vm-uid',
      'TagSpecification.1.Tag.1.Value': 'u',
      'TagSpecification.2.ResourceType': 'volume',
      'TagSpecification.2.Tag.1.Key': 'skyclust.io/vm-uid',
      'TagSpecification.2.Tag.1.Value': 'u',
      'TagSpecification.3.ResourceType': 'network-interface',
      'TagSpecification.3.Tag.1.Key': 'skyclust.io/vm-uid',
      'TagSpecification.3.Tag.1.Value': 'u',
    })
  })

  it('names the subnet and the groups on the instance when nothing is said of a public address', async () => {
    expect(await created({ subnetId: 'subnet-1', securityGroupIds: ['sg-1', 'sg-2'] })).toEqual({
      ...always,
      SubnetId: 'subnet-1',
      'SecurityGroupId.1': 'sg-1',
      'SecurityGroupId.2': 'sg-2',
    })
  })

  it.each([true, false])(
    'names them on the interface when a public address is wished or not (%s)',
    async (publicIP) => {
      expect(await created({ publicIP, subnetId: 'subnet-1', securityGroupIds: ['sg-1'] })).toEqual({
        ...always,
        'NetworkInterface.1.DeviceIndex': '0',
        'NetworkInterface.1.AssociatePublicIpAddress': String(publicIP),
        'NetworkInterface.1.DeleteOnTermination': 'true',
        'NetworkInterface.1.SubnetId': 'subnet-1',
        'NetworkInterface.1.SecurityGroupId.1': 'sg-1',
      })
    },
  )

  it('names the zone', async () => {
    expect(await created({ zone: 'us-east-1b' })).toEqual({ ...always, 'Placement.AvailabilityZone': 'us-east-1b' })
  })

  it('sizes the image’s own root device, and asks only once for its name', async () => {
    const sized = await created({ rootDisk: { sizeGiB: 20, type: 'gp3' } })
    await cloud.create({ ...minimal, rootDisk: { sizeGiB: 30 } })

    expect(sized).toEqual({
      ...always,
      'BlockDeviceMapping.1.DeviceName': '/dev/xvda',
      'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
      'BlockDeviceMapping.1.Ebs.VolumeSize': '20',
      'BlockDeviceMapping.1.Ebs.VolumeType': 'gp3',
    })
    expect(ec2.parametersOf('DescribeImages')).toEqual([{ 'ImageId.1': 'ami-0abcdef1234567890' }])
  })

  it('leaves the root disk to the image when nothing is said of it', async () => {
    expect(await created({ rootDisk: {} })).toEqual(always)
    expect(ec2.parametersOf('DescribeImages')).toEqual([])
  })

  it('names the key, and encodes the user data', async () => {
    expect(await created({ sshKeyName: 'laptop', userData: '#!/bin/sh\necho héllo\n' })).toEqual({
      ...always,
      KeyName: 'laptop',
      UserData: Buffer.from('#!/bin/sh\necho héllo\n').toString('base64'),
    })
  })

  it('names the instance profile by its name, or by its ARN', async () => {
    const arn = 'arn:aws:iam::123456789012:instance-profile/web'

    expect(await created({ instanceProfile: 'web' })).toEqual({ ...always, 'IamInstanceProfile.Name': 'web' })
    await cloud.create({ ...minimal, instanceProfile: arn })
    expect(ec2.parametersOf('RunInstances')[1]).toEqual({ ...always, 'IamInstanceProfile.Arn': arn })
  })

  it('asks for Spot once, so that EC2 never launches a second one by itself', async () => {
    expect(await created({ marketType: 'Spot' })).toEqual({
      ...always,
      'InstanceMarketOptions.MarketType': 'spot',
      'InstanceMarketOptions.SpotOptions.SpotInstanceType': 'one-time',
      'InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior': 'terminate',
    })
  })

  it('lists in pages of a thousand, by tag and by token', async () => {
    await cloud.listPage({ kind: 'all' })
    await cloud.listPage({ kind: 'tag', key: 'uid', values: ['a', 'b*'] }, 'next')
    await cloud.listPage({ kind: 'token', tokens: ['t'] })
    await cloud.get('i-0123456789abcdef0')

    expect(ec2.parametersOf('DescribeInstances')).toEqual([
      { MaxResults: '1000' },
      {
        MaxResults: '1000',
        NextToken: 'next',
        'Filter.1.Name': 'tag:uid',
        'Filter.1.Value.1': 'a',
        'Filter.1.Value.2': 'b\\*',
      },
      { MaxResults: '1000', 'Filter.1.Name': 'client-token', 'Filter.1.Value.1': 't' },
      { 'InstanceId.1': 'i-0123456789abcdef0' },
    ])
  })

  it('starts, stops, terminates, resizes and tags', async () => {
    const ids = ['i-0123456789abcdef0', 'i-0123456789abcdef1']
    const named = { 'InstanceId.1': ids[0], 'InstanceId.2': ids[1] }
    const resources = { 'ResourceId.1': ids[0], 'ResourceId.2': ids[1] }

    await cloud.start(ids)
    await cloud.stop(ids)
    await cloud.terminate(ids)
    await cloud.resize('i-0123456789abcdef0', 't3.large')
    await cloud.tag(ids, { a: '1' })
    await cloud.untag(ids, ['a'])

    expect(ec2.requests.map(({ action, parameters }) => [action, parameters])).toEqual([
      ['StartInstances', named],
      ['StopInstances', named],
      ['TerminateInstances', named],
      ['ModifyInstanceAttribute', { InstanceId: ids[0], 'InstanceType.Value': 't3.large' }],
      ['CreateTags', { ...resources, 'Tag.1.Key': 'a', 'Tag.1.Value': '1' }],
      ['DeleteTags', { ...resources, 'Tag.1.Key': 'a' }],
    ])
  })

  it('asks for all regions, those that the account has not opted into as well', async () => {
    await cloud.regions()

    expect(ec2.parametersOf('DescribeRegions')).toEqual([{ AllRegions: 'true' }])
  })

  it('is signed with the key of the Secret, without the newline that came along when it was pasted', async () => {
    await cloud.regions()

    expect(ec2.requests[0]?.headers.authorization).toMatch(
      /Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/ec2\/aws4_request/,
    )
  })

  it('goes to the endpoint of each service when there are two', async () => {
    await using sts = await recordingServer(succeed)
    vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.url)

    await cloud.verify()
    await cloud.regions()

    expect(sts.requests.map(({ action }) => action)).toEqual(['GetCallerIdentity'])
    expect(ec2.requests.map(({ action }) => action)).toEqual(['DescribeRegions'])
  })

  it('keeps its connection from one call to the next', async () => {
    await cloud.regions()
    await cloud.regions()

    expect(new Set(ec2.requests.map(({ connection }) => connection)).size).toBe(1)
  })
})
