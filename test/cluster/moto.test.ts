import { DescribeInstancesCommand, EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { describe, expect, it } from 'vitest'
import { startMoto } from './moto.ts'

describe('startMoto', () => {
  it('speaks EC2 and STS, and forgets when it is told to', async () => {
    await using moto = await startMoto()
    const options = {
      endpoint: moto.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    }
    const ec2 = new EC2Client(options)
    const sts = new STSClient(options)

    expect(await sts.send(new GetCallerIdentityCommand())).toMatchObject({ Account: '123456789012' })
    const run = { ImageId: 'ami-12c6146b', InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 } as const
    const started = await ec2.send(new RunInstancesCommand(run))
    expect(started.Instances?.[0]?.InstanceId).toMatch(/^i-/)

    await moto.reset()
    expect((await ec2.send(new DescribeInstancesCommand())).Reservations).toEqual([])
  })
})
