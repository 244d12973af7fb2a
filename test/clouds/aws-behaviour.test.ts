import { DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { awsCloud } from '../../clouds/aws/aws-cloud.ts'
import { awsConnections } from '../../clouds/aws/clients.ts'
import type { Cloud } from '../../clouds/cloud.ts'
import { meteredCloud } from '../../clouds/metered-cloud.ts'
import { meters } from '../../clouds/meters.ts'
import { providers } from '../../clouds/providers.ts'
import { type Moto, startMoto } from '../cluster/moto.ts'
import { behavesAsACloud } from './cloud-behaviour.ts'

const region = 'us-east-1'
const secret = { access_key: 'test', secret_key: 'test' }
const spec = { instanceType: 't3.micro', image: 'ami-12c6146b', marketType: 'OnDemand' } as const

describe('AWS, against moto', () => {
  const aws = providers({ enabled: ['aws'] }).named('aws')
  let moto: Moto | undefined
  let connected: Cloud | undefined
  const cloud = () => connected ?? expect.fail('not started')

  beforeAll(async () => {
    moto = await startMoto({
      env: {
        MOTO_ENABLE_AMI_VALIDATION: 'true',
        MOTO_ENABLE_KEYPAIR_VALIDATION: 'true',
        MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: 'true',
      },
    })
    vi.stubEnv('AWS_ENDPOINT_URL', moto.url)
    connected = aws?.connect({ secret }, region)
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await moto?.stop()
  })

  behavesAsACloud({
    cloud,
    spec,
    otherType: 't3.large',
    regionName: { name: 'us-east-1', displayName: 'US East (N. Virginia)' },
    account: /^\d{12}$/,
    unknownId: 'i-00000000000000000',
    refused: [
      ['an image', { image: 'ami-00000000000000bad' }, /^InvalidAMIID\./],
      ['a subnet', { subnetId: 'bad-subnet' }, /^InvalidSubnetI[Dd]\.NotFound$/],
      ['a security group', { securityGroupIds: ['bad-group'] }, /^InvalidGroup\.NotFound$/],
      ['a zone', { zone: 'nowhere-1a' }, /^InvalidParameterValue$/],
      ['a key pair', { sshKeyName: 'bad-key' }, /^InvalidKeyPair\.NotFound$/],
    ],
    // moto 5.2: stores a client token and gives it back, but makes a second instance for it; and it changes the type
    // of an instance that runs, and starts one that is terminated, where EC2 says IncorrectInstanceState.
    facts: { honoursTokens: false, comparesSpecs: false, listsTerminated: true, checksStates: false },
  })

  it('refuses a type that does not exist', async () => {
    const wrong = { ...spec, instanceType: 'bad-type', token: crypto.randomUUID(), tags: {} }

    await expect(cloud().create(wrong)).rejects.toMatchObject({ class: 'invalid', outcomeUnknown: false })
  })

  it('pages through a listing', async () => {
    const tag = { pages: crypto.randomUUID() }
    for (let n = 0; n < 12; n++) await cloud().create({ ...spec, token: crypto.randomUUID(), tags: tag })
    const identity = { key: { accessKeyId: 'test', secretAccessKey: 'test' } }
    const inSmallPages = awsCloud({ identity, region, connections: awsConnections(), pageSize: 5 })

    const sizes: number[] = []
    const ids = new Set<string>()
    for await (const page of inSmallPages.list({ kind: 'tag', key: 'pages', values: [tag.pages] })) {
      sizes.push(page.length)
      for (const { id } of page) ids.add(id)
    }

    expect(sizes).toEqual([5, 5, 2])
    expect(ids.size).toBe(12)
  })

  it('gives the root disk its size and type', async () => {
    const disk = { sizeGiB: 33, type: 'gp3' }
    const { id } = await cloud().create({ ...spec, token: crypto.randomUUID(), tags: {}, rootDisk: disk })

    const ec2 = new EC2Client({ region, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } })
    const filter = { Name: 'attachment.instance-id', Values: [id] }
    const { Volumes } = await ec2.send(new DescribeVolumesCommand({ Filters: [filter] }))

    expect(Volumes).toMatchObject([{ Size: 33, VolumeType: 'gp3' }])
  })

  it('acts in the role that it is to assume, in that role’s account', async () => {
    const role = { roleARN: 'arn:aws:iam::111122223333:role/skyclust', externalID: 'x-1' }
    const assumed = aws?.connect({ secret, aws: role }, region)

    expect(await assumed?.verify()).toEqual({
      account: '111122223333',
      identity: 'arn:aws:sts::111122223333:assumed-role/skyclust/skyclust',
    })
    const { id } = (await assumed?.create({ ...spec, token: crypto.randomUUID(), tags: {} })) ?? {}
    expect(await cloud().get(id ?? '')).toBeUndefined()
  })

  it('stops the others of a gathered call when one does not exist', async () => {
    const made = await Promise.all(
      Array.from({ length: 5 }, () => cloud().create({ ...spec, token: crypto.randomUUID(), tags: {} })),
    )
    const meter = meters().of({ provider: 'aws', account: '123456789012', region, limits: cloud().limits })
    const calls: string[] = []
    const gathered = meteredCloud({
      cloud: cloud(),
      meter,
      onCall: ({ action, outcome, instances }) => calls.push(`${action} of ${instances}: ${outcome}`),
    })

    const ids = [...made.map(({ id }) => id), 'i-00000000000000000']
    const outcomes = await Promise.allSettled(ids.map((id) => gathered.stop([id])))

    expect(outcomes.map(({ status }) => status)).toEqual([...Array(5).fill('fulfilled'), 'rejected'])
    expect(calls).toEqual(['stop of 6: notFound', 'stop of 5: ok'])
    expect(await Promise.all(made.map(async ({ id }) => (await cloud().get(id))?.state))).toEqual(
      Array(5).fill('stopped'),
    )
  })
})
