/**
 * What the clouds themselves have, asked with the caller's Credentials.
 *
 * With whose rights is the Secret of a Credential read? A viewer may list instances and may not read Secrets, so it cannot
 * be the caller's. The facade's own account reads it: by name alone (it may neither list nor watch Secrets of tenants),
 * only the one that a Credential of a Workspace names, only when somebody asks, and keeps nothing of it. Where the
 * account was not given that right, these routes say so and everything else works.
 *
 * A cloud that is slow holds up nobody else: a request ends after {@link ANSWER_WITHIN_MS}, and a Credential has at most
 * {@link CALLS_AT_ONCE} of them under way. Nothing is retried.
 */
import type { Cloud, Instance } from '../../clouds/cloud.ts'
import { type CloudError, isCloudError } from '../../clouds/cloud-error.ts'
import type { Identity, Provider } from '../../clouds/provider.ts'
import type { Providers } from '../../clouds/providers.ts'
import type { Credential } from '../../crds/credential.ts'
import { secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isForbidden, isNotFound } from '../../kube/kube-error.ts'
import { ApiError, invalidField } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'

export interface CloudDesk {
  readonly providers: Providers
  /** All instances that these Credentials show, each once, in `region` or in each one's own. */
  instances(query: InstancesQuery): Promise<readonly Instance[]>
  instance(query: InstancesQuery, instanceId: string): Promise<Instance | undefined>
}

export interface InstancesQuery {
  readonly provider: Provider
  readonly credentials: readonly Credential[]
  readonly region: string | undefined
  readonly signal: AbortSignal
}

export interface CloudDeskOptions {
  readonly client: KubeClient
  readonly providers: Providers
}

const ANSWER_WITHIN_MS = 10_000
const CALLS_AT_ONCE = 4
const MAX_INSTANCES = 10_000

export function cloudDesk({ client, providers }: CloudDeskOptions): CloudDesk {
  const underWay = new Map<string, number>()

  async function identityOf(credential: Credential): Promise<Identity> {
    const { namespace, name } = credential.metadata
    const { source, secretRef, aws, gcp } = credential.spec
    if (source === 'Ambient' || secretRef === undefined) {
      throw new ApiError('CONFLICT', refused.ambientCredential)
    }
    try {
      const secret = await client.get(secretType, { namespace, name: secretRef.name })
      return { secret: decoded(secret.data ?? {}), ...(aws && { aws }), ...(gcp && { gcp }) } as Identity
    } catch (error) {
      if (!isNotFound(error) && !isForbidden(error)) throw error
      throw new ApiError('BAD_GATEWAY', refused.credentialUnusable(name), { cause: error })
    }
  }

  /** One request with one Credential. */
  async function ask<T>(
    { provider, region, signal }: InstancesQuery,
    credential: Credential,
    question: (cloud: Cloud, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const where = region ?? credential.spec.region
    if (where === undefined || where === '') throw regionNeeded(credential.metadata.name)
    const place = enter(credential.metadata.uid)
    const timeout = AbortSignal.timeout(ANSWER_WITHIN_MS)
    try {
      const cloud = provider.connect(await identityOf(credential), where)
      return await question(cloud, AbortSignal.any([signal, timeout]))
    } catch (error) {
      if (timeout.aborted) {
        throw new ApiError('GATEWAY_TIMEOUT', refused.cloudSlow(provider.displayName, ANSWER_WITHIN_MS / 1000))
      }
      throw isCloudError(error) ? cloudRefusal(provider, error) : error
    } finally {
      place.leave()
    }
  }

  function enter(uid: string): { leave(): void } {
    const calls = underWay.get(uid) ?? 0
    if (calls >= CALLS_AT_ONCE) throw new ApiError('SERVICE_UNAVAILABLE', refused.busy, { retryAfterSeconds: 2 })
    underWay.set(uid, calls + 1)
    return {
      leave() {
        const left = (underWay.get(uid) ?? 1) - 1
        if (left === 0) underWay.delete(uid)
        else underWay.set(uid, left)
      },
    }
  }

  return {
    providers,
    async instances(query) {
      requireRegion(query)
      const lists = await Promise.all(query.credentials.map((credential) => ask(query, credential, listAll)))
      const byPlace = new Map(lists.flat().map((instance) => [`${instance.region}/${instance.id}`, instance]))
      return [...byPlace.values()].sort(oldestFirst)
    },
    async instance(query, instanceId) {
      requireRegion(query)
      const found = await Promise.all(
        query.credentials.map((credential) => ask(query, credential, (cloud, signal) => cloud.get(instanceId, signal))),
      )
      return found.find((instance) => instance !== undefined)
    },
  }
}

async function listAll(cloud: Cloud, signal: AbortSignal): Promise<Instance[]> {
  const instances: Instance[] = []
  for await (const page of cloud.list({ kind: 'all' }, signal)) {
    instances.push(...page)
    if (instances.length > MAX_INSTANCES) throw tooMany()
  }
  return instances
}

function oldestFirst(one: Instance, other: Instance): number {
  if (one.launchTime !== other.launchTime) return one.launchTime < other.launchTime ? -1 : 1
  return one.id < other.id ? -1 : 1
}

function decoded(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

/** A key that the cloud rejects is not the caller's token: 502, in the cloud's words. */
function cloudRefusal(provider: Provider, error: CloudError): unknown {
  if (error.class !== 'unauthorized' && error.class !== 'forbidden') return error
  return new ApiError('BAD_GATEWAY', refused.cloudSays(provider.displayName, error.message), { cause: error })
}

function requireRegion({ provider, region }: InstancesQuery): void {
  if (region === undefined || provider.regions.some(({ name }) => name === region)) return
  const known = provider.regions.map(({ name }) => name).join(', ')
  throw invalidField('region', {
    ko: `${provider.displayName}에 없는 리전입니다. 가능한 값: ${known}.`,
    en: `is no region of ${provider.displayName}; there are ${known}`,
  })
}

function regionNeeded(credential: string): ApiError {
  return invalidField('region', {
    ko: `자격증명 ${credential}에 기본 리전이 없습니다. region을 지정하십시오.`,
    en: `is missing: the credential ${credential} has no region of its own`,
  })
}

function tooMany(): ApiError {
  return invalidField('region', {
    ko: `인스턴스가 ${MAX_INSTANCES}개를 넘습니다. region이나 credential_id로 범위를 좁히십시오.`,
    en: `there are more than ${MAX_INSTANCES} instances: narrow it by region or credential_id`,
  })
}
