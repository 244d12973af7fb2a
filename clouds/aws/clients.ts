/**
 * The SDK's clients, made when they are first needed: loading the SDK takes a second and some 70 MiB, and whoever
 * has no AWS account should not pay them.
 *
 * One attempt a call: each attempt at a create begins with a lookup, and only the controller can do that; the other
 * calls are retried by whoever has their backoff. The SDK's own variables (`AWS_ENDPOINT_URL`, `_EC2`, `_STS`, `_PRICING`) are
 * honoured by the SDK.
 */
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { EC2Client } from '@aws-sdk/client-ec2'
import type { PricingClient } from '@aws-sdk/client-pricing'
import type { STSClient } from '@aws-sdk/client-sts'
import { awsError } from './aws-error.ts'
import { PRICING_REGION } from './price-list.ts'

/** A key pair of IAM, or one of a session. */
export interface AwsKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Who calls: a key, or what the process finds by itself (environment, web identity, instance role), and in which role. */
export interface AwsIdentity {
  readonly key: AwsKey | 'ambient'
  readonly role?: { readonly arn: string; readonly externalId?: string }
}

export interface AwsClients {
  ec2(): Promise<EC2Client>
  sts(): Promise<STSClient>
  pricing(): Promise<PricingClient>
}

/** Connections, shared by every client: kept alive, and bounded for each of AWS's hosts. */
export interface AwsConnections {
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
  /** Milliseconds, as the SDK calls it. */
  readonly connectionTimeout: number
}

export function awsConnections(): AwsConnections {
  const agent = { keepAlive: true, maxSockets: 50, maxFreeSockets: 10, timeout: 60_000 }
  return { httpAgent: new HttpAgent(agent), httpsAgent: new HttpsAgent(agent), connectionTimeout: 5_000 }
}

export interface AwsClientsOptions {
  readonly identity: AwsIdentity
  readonly region: string
  readonly connections: AwsConnections
}

export function awsClients({ identity, region, connections }: AwsClientsOptions): AwsClients {
  const base = { region, maxAttempts: 1, requestHandler: connections }
  const own = identity.key === 'ambient' ? base : { ...base, credentials: identity.key }

  async function makeSts(): Promise<STSClient> {
    const { STSClient } = await import('@aws-sdk/client-sts')
    return new STSClient(own)
  }

  /** The SDK asks again five minutes before the session ends. */
  async function roleSession() {
    const { AssumeRoleCommand } = await import('@aws-sdk/client-sts')
    const { arn, externalId } = identity.role ?? { arn: '' }
    const wanted = { RoleArn: arn, RoleSessionName: 'skyclust', ...(externalId && { ExternalId: externalId }) }
    const answer = await (await ownSts()).send(new AssumeRoleCommand(wanted)).catch((error: unknown) => {
      throw awsError(error, { action: 'AssumeRole', mutation: false })
    })
    const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '', Expiration } = answer.Credentials ?? {}
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      ...(Expiration && { expiration: Expiration }),
    }
  }

  const ownSts = once(makeSts)
  const acting = identity.role ? { ...base, credentials: roleSession } : own
  return {
    sts: once(async () => {
      if (!identity.role) return ownSts()
      const { STSClient } = await import('@aws-sdk/client-sts')
      return new STSClient(acting)
    }),
    ec2: once(async () => {
      const { EC2Client } = await import('@aws-sdk/client-ec2')
      return new EC2Client(acting)
    }),
    pricing: once(async () => {
      const { PricingClient } = await import('@aws-sdk/client-pricing')
      return new PricingClient({ ...acting, region: PRICING_REGION })
    }),
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
