/** Every way in which a call to AWS goes wrong: its class, AWS's words, and whether it may have taken effect. */
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { awsProvider } from '../../clouds/aws/provider.ts'
import type { Cloud, InstanceSpec } from '../../clouds/cloud.ts'
import { type Answer, type RecordingServer, recordingServer, refuse, succeed } from './recording-server.ts'

const spec: InstanceSpec = {
  token: 'token',
  tags: {},
  instanceType: 't3.micro',
  image: 'ami-0abcdef1234567890',
  marketType: 'OnDemand',
}

const TIMEOUT_MS = 300

/** A cloud whose server answers so, and the server. */
async function answering(answer: Answer, identity: object = {}): Promise<RecordingServer & { cloud: Cloud }> {
  const server = await recordingServer(answer)
  vi.stubEnv('AWS_ENDPOINT_URL', server.url)
  const secret = { access_key: 'AKIDEXAMPLE', secret_key: 'a-secret' }
  return Object.assign(server, {
    cloud: awsProvider({ timeoutMs: TIMEOUT_MS }).connect({ secret, ...identity }, 'us-east-1'),
  })
}

afterEach(() => vi.unstubAllEnvs())

describe('when AWS refuses', () => {
  it.each([
    ['capacity', 500, 'InsufficientInstanceCapacity', 'We currently do not have sufficient t3.micro capacity'],
    ['quota', 400, 'VcpuLimitExceeded', 'You have requested more vCPU capacity than your current limit'],
    ['invalid', 400, 'InvalidAMIID.NotFound', "The image id '[ami-1]' does not exist"],
    ['unauthorized', 401, 'AuthFailure', 'AWS was not able to validate the provided access credentials'],
    ['forbidden', 403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.'],
    ['unauthorized', 400, 'RequestExpired', 'Request has expired.'],
    ['throttled', 503, 'RequestLimitExceeded', 'Request limit exceeded.'],
    ['conflict', 400, 'IdempotentParameterMismatch', 'Arguments on this idempotent request are inconsistent'],
  ] as const)('a create as %s, nothing was made, and its words are kept', async (errorClass, status, code, message) => {
    await using ec2 = await answering(refuse(status, code, message))

    await expect(ec2.cloud.create(spec)).rejects.toMatchObject({
      name: 'CloudError',
      class: errorClass,
      code,
      message,
      action: 'RunInstances',
      requestId: 'ea966190-f9aa-478e-9ede-example',
      outcomeUnknown: false,
    })
  })

  it('is asked once: whoever repeats a create must look first', async () => {
    await using ec2 = await answering(refuse(503, 'Unavailable', 'The server is overloaded'))

    await expect(ec2.cloud.create(spec)).rejects.toMatchObject({ class: 'transient' })

    expect(ec2.requests).toHaveLength(1)
  })

  it('leaves no doubt about a call that only reads', async () => {
    await using ec2 = await answering(refuse(500, 'InternalError', 'An internal error has occurred'))

    await expect(ec2.cloud.listPage({ kind: 'all' })).rejects.toMatchObject({
      class: 'transient',
      outcomeUnknown: false,
    })
  })
})

describe('when the outcome of a create is not known', () => {
  it.each<[string, Answer]>([
    ['an internal error', refuse(500, 'InternalError', 'An internal error has occurred')],
    ['a gateway’s page', (_, response) => void response.writeHead(502).end('<html><h1>Bad Gateway</h1>')],
    ['a redirection to a page to log in on', (_, response) => void response.writeHead(302).end('<html>Welcome')],
    ['an empty 503', (_, response) => void response.writeHead(503).end()],
    ['an answer that cannot be read', (_, response) => void response.writeHead(200).end('<html>Welcome')],
    ['an answer without an instance', (_, response) => void response.writeHead(200).end('<RunInstancesResponse/>')],
    ['a connection that is reset', (_, response) => void response.socket?.resetAndDestroy()],
    [
      'an answer that breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('<RunInstancesResponse>')
        response.socket?.destroySoon()
      },
    ],
    ['no answer', () => undefined],
    ['an answer that never ends', (_, response) => void response.writeHead(200).write('<RunInstancesResponse>')],
  ])('it says so: %s', async (_, answer) => {
    await using ec2 = await answering(answer)

    const failure = await ec2.cloud.create(spec).then(
      () => expect.fail('it was made'),
      (error: unknown) => error,
    )

    expect(failure).toMatchObject({ name: 'CloudError', class: 'transient', outcomeUnknown: true })
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toMatch(/a-secret|AKIDEXAMPLE|@aws-sdk|\$response/)
  })
})

describe('when nothing was sent', () => {
  it('is sure that nothing was made: nobody listens', async () => {
    const closed = createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as { port: number }
    await new Promise((resolve) => closed.close(resolve))
    vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${port}`)
    const cloud = awsProvider().connect({ secret: { access_key: 'a', secret_key: 's' } }, 'us-east-1')

    await expect(cloud.create(spec)).rejects.toMatchObject({ class: 'transient', outcomeUnknown: false })
  })

  it('is sure that nothing was made: there is no such host', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://nowhere.invalid')
    const cloud = awsProvider().connect({ secret: { access_key: 'a', secret_key: 's' } }, 'us-east-1')

    await expect(cloud.create(spec)).rejects.toMatchObject({ class: 'transient', outcomeUnknown: false })
  })

  it('says which keys the Secret lacks, and that a region is none', () => {
    const aws = awsProvider()

    expect(() => aws.connect({ secret: { access_key: 'a' } }, 'us-east-1')).toThrow(
      expect.objectContaining({ class: 'unauthorized', message: 'The Secret lacks secret_key.' }),
    )
    expect(() => aws.connect({ secret: {} }, 'us-east-1')).toThrow('The Secret lacks access_key and secret_key.')
    expect(() => aws.connect({ secret: 'ambient' }, 'us-east-1.evil.example')).toThrow(
      expect.objectContaining({ class: 'invalid', message: expect.stringContaining('us-east-1.evil.example') }),
    )
  })
})

describe('a role', () => {
  const aws = { roleARN: 'arn:aws:iam::111122223333:role/skyclust', externalID: 'x-1' }

  it('that may not be assumed is forbidden, in the words of STS, and nothing is asked of EC2', async () => {
    const denied = 'User: arn:aws:iam::123456789012:user/a is not authorized to perform: sts:AssumeRole'
    await using server = await answering(
      (request, response) => {
        if (request.action !== 'AssumeRole') return succeed(request, response)
        response.writeHead(403, { 'content-type': 'text/xml' })
        response.end(
          `<ErrorResponse><Error><Code>AccessDenied</Code><Message>${denied}</Message></Error></ErrorResponse>`,
        )
      },
      { aws },
    )

    await expect(server.cloud.create(spec)).rejects.toMatchObject({
      class: 'forbidden',
      code: 'AccessDenied',
      action: 'AssumeRole',
      message: denied,
      outcomeUnknown: false,
    })
    expect(server.parametersOf('RunInstances')).toEqual([])
  })

  it('is assumed once for many calls, with its external id, and the calls are signed with the session', async () => {
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    await using server = await answering(
      (request, response) => {
        if (request.action !== 'AssumeRole') return succeed(request, response)
        response.writeHead(200, { 'content-type': 'text/xml' })
        response.end(
          `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIASESSION</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>the-session</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
        )
      },
      { aws },
    )

    await server.cloud.regions()
    await server.cloud.regions()

    expect(server.parametersOf('AssumeRole')).toEqual([
      { RoleArn: aws.roleARN, RoleSessionName: 'skyclust', ExternalId: 'x-1' },
    ])
    const [, ...calls] = server.requests
    expect(calls.map(({ headers }) => headers['x-amz-security-token'])).toEqual(['the-session', 'the-session'])
    expect(calls[0]?.headers.authorization).toContain('ASIASESSION')
  })
})

describe('a clock that is an hour off', () => {
  it('is no reason to reject the key: the next call allows for it', async () => {
    const theirs = new Date(Date.now() + 3_600_000)
    let calls = 0
    await using ec2 = await answering((request, response) => {
      response.setHeader('date', theirs.toUTCString())
      if (calls++ > 0) return succeed(request, response)
      refuse(400, 'RequestExpired', 'Request has expired.')(request, response)
    })

    await expect(ec2.cloud.regions()).rejects.toMatchObject({ class: 'transient', code: 'RequestExpired' })
    await ec2.cloud.regions()

    const stamp = String(ec2.requests[1]?.headers['x-amz-date'])
    expect(stamp.slice(0, 11)).toBe(theirs.toISOString().replace(/[-:]/g, '').slice(0, 11))
  })
})

describe('the filter client-token', () => {
  it('is done without when what answers is not EC2 and does not know it: the listing is searched', async () => {
    const items = ['mine', 'theirs'].map(
      (token, n) => `<item><instanceId>i-0123456789abcdef${n}</instanceId><clientToken>${token}</clientToken></item>`,
    )
    await using ec2 = await answering(({ parameters }, response) => {
      if ('Filter.1.Name' in parameters) return void response.writeHead(500).end('<html>Internal Server Error')
      const page = parameters.NextToken ? items[0] : `${items[1]}`
      const next = parameters.NextToken ? '' : '<nextToken>2</nextToken>'
      response.writeHead(200, { 'content-type': 'text/xml' })
      response.end(
        `<DescribeInstancesResponse><reservationSet><item><instancesSet>${page}</instancesSet></item></reservationSet>${next}</DescribeInstancesResponse>`,
      )
    })

    const found: string[] = []
    for await (const page of ec2.cloud.list({ kind: 'token', tokens: ['mine'] }))
      found.push(...page.map(({ id }) => id))

    expect(found).toEqual(['i-0123456789abcdef0'])
  })
})
