/**
 * What the clouds themselves have, asked with the caller's Credentials.
 *
 * A cloud that is slow holds up nobody else: a request ends after {@link ANSWER_WITHIN_MS}, and a Credential has at most
 * {@link CALLS_AT_ONCE} of them under way. Nothing is retried. What a cloud refuses is told in its own words, with the Credential
 * that it refused.
 */
import type { Cloud, Instance } from '../../clouds/cloud.ts'
import { type CloudError, isCloudError } from '../../clouds/cloud-error.ts'
import { errorClasses } from '../../clouds/error-classes.ts'
import type { Provider } from '../../clouds/provider.ts'
import type { Providers } from '../../clouds/providers.ts'
import type { Credential } from '../../crds/credential.ts'
import { ApiError, invalidField } from '../http/api-error.ts'
import { refused } from '../language/messages.ts'
import type { IdentityOf } from './credential-identity.ts'

export interface CloudDesk {
  readonly providers: Providers
  /** All instances that these Credentials show, each once, in `region` or in each one's own. */
  instances(query: InstancesQuery): Promise<readonly Instance[]>
  /** Whichever of them shows it. */
  instance(query: InstancesQuery, instanceId: string): Promise<Instance | undefined>
}

export interface InstancesQuery {
  readonly provider: Provider
  readonly credentials: readonly Credential[]
  readonly region: string | undefined
  readonly signal: AbortSignal
}

export interface CloudDeskOptions {
  readonly providers: Providers
  readonly identityOf: IdentityOf
}

const ANSWER_WITHIN_MS = 10_000
const CALLS_AT_ONCE = 4
const MAX_INSTANCES = 20_000
/** When a cloud throttles and does not say. */
const THROTTLED_SECONDS = 5

export function cloudDesk({ providers, identityOf }: CloudDeskOptions): CloudDesk {
  const underWay = new Map<string, number>()

  /** One request with one Credential. */
  async function ask<T>(
    { provider, region, signal }: InstancesQuery,
    credential: Credential,
    question: (cloud: Cloud, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const where = region ?? credential.spec.region
    if (where === undefined || where === '') throw regionNeeded(credential.metadata.name)
    const asked = `${provider.displayName} (${credential.metadata.name})`
    const place = enter(credential.metadata.uid)
    const timeout = AbortSignal.timeout(ANSWER_WITHIN_MS)
    const either = AbortSignal.any([signal, timeout])
    try {
      const cloud = provider.connect(await identityOf(credential, either), where)
      return await question(cloud, either)
    } catch (error) {
      if (either.aborted) throw new ApiError('GATEWAY_TIMEOUT', refused.cloudSlow(asked, ANSWER_WITHIN_MS / 1000))
      throw isCloudError(error) ? cloudRefusal(asked, error) : error
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
      if (query.region !== undefined) requireRegion(query.provider, query.region)
      const lists = await Promise.all(query.credentials.map((credential) => ask(query, credential, listAll)))
      const byPlace = new Map(lists.flat().map((instance) => [`${instance.region}/${instance.id}`, instance]))
      return [...byPlace.values()].sort(oldestFirst)
    },
    async instance(query, instanceId) {
      if (query.region !== undefined) requireRegion(query.provider, query.region)
      const answers = await Promise.allSettled(
        query.credentials.map((credential) => ask(query, credential, (cloud, signal) => cloud.get(instanceId, signal))),
      )
      for (const answer of answers) if (answer.status === 'fulfilled' && answer.value !== undefined) return answer.value
      // One of those that did not answer may have it: that there is none is not known.
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason
      return undefined
    },
  }
}

/** Throws `VALIDATION_ERROR` for what is no region of the provider. */
export function requireRegion(provider: Provider, region: string): void {
  if (provider.regions.some(({ name }) => name === region)) return
  const known = provider.regions.map(({ name }) => name).join(', ')
  throw invalidField('region', {
    ko: `${provider.displayName}에 없는 리전입니다. 가능한 값: ${known}.`,
    en: `is no region of ${provider.displayName}; there are ${known}`,
  })
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

/** The caller asked well: that the cloud rejects a key, or fails, is the gateway's. Only when to ask again is told apart. */
function cloudRefusal(asked: string, error: CloudError): ApiError {
  const isForPeople = errorClasses[error.class].stalled || error.remedy !== errorClasses[error.class].remedy
  const said = refused.cloudSays(asked, isForPeople ? `${sentence(error.message)} ${error.remedy}` : error.message)
  return error.class === 'throttled'
    ? new ApiError('SERVICE_UNAVAILABLE', said, { retryAfterSeconds: THROTTLED_SECONDS, cause: error })
    : new ApiError('BAD_GATEWAY', said, { cause: error })
}

function sentence(words: string): string {
  return /[.!?]$/.test(words) ? words : `${words}.`
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
