/**
 * The client of the simulated cloud: the same seam as AWS's, over whichever transport it is given. One call of ours
 * is one call of the cloud's, with a deadline and no retry.
 */
import { awsErrorClass } from '../aws/error-codes.ts'
import type { Cloud, CloudGuarantees, CloudLimits, InstanceFilter, InstancePage, Rate } from '../cloud.ts'
import { CloudError } from '../cloud-error.ts'
import { pages } from '../pages.ts'
import { type Sleep, sleepMs } from '../sleep.ts'
import { isRead } from './call-counts.ts'
import type { SimTransport } from './exchange.ts'
import type { SimAction, SimAnswer, SimInputs, SimResults } from './wire.ts'

export interface SimCloudOptions {
  readonly transport: SimTransport
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
  /** What its user may rely on; whoever sets the cloud to less says so here, or means to test a broken promise. */
  readonly guarantees?: Partial<CloudGuarantees>
  readonly limits?: Partial<CloudLimits>
  /** How long to wait for an answer. */
  readonly timeoutMs?: number
  /** Resolves after that many milliseconds; a test passes its own. */
  readonly sleep?: Sleep
}

/** The simulated cloud's defaults, with the lag bound that its campaign uses. */
const defaultGuarantees: CloudGuarantees = {
  tokenValidityMs: 24 * 3_600_000,
  lookupLagMs: 10_000,
  maxBatch: 1000,
  maxFilterValues: 200,
}

/** By default it throttles nobody; these keep a client from flooding one process. */
const often: Rate = { burst: 1000, refillPerSecond: 1000 }
const defaultLimits: CloudLimits = {
  verify: { calls: often },
  regions: { calls: often },
  list: { calls: often },
  create: { calls: often },
  start: { calls: often },
  stop: { calls: often },
  terminate: { calls: often },
  resize: { calls: often },
  tag: { calls: often },
  untag: { calls: often },
}

type Refusal = Extract<SimAnswer, { readonly error: unknown }>

export function simCloud(options: SimCloudOptions): Cloud {
  const { transport, accessKey, secretKey, region, timeoutMs = 30_000, sleep = sleepMs } = options

  async function call<A extends SimAction>(
    action: A,
    input: SimInputs[A],
    signal?: AbortSignal,
  ): Promise<SimResults[A]> {
    signal?.throwIfAborted()
    const deadline = new AbortController()
    const finished = new AbortController()
    sleep(timeoutMs, finished.signal).then(
      () => deadline.abort(new Error(`none within ${timeoutMs} ms`)),
      () => undefined, // the answer came first
    )
    const either = signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal
    try {
      const answer = await transport
        .send({ action, region, accessKey, secretKey, input }, either)
        .catch((cause: unknown) => {
          throw signal?.aborted ? signal.reason : noAnswer(action, cause)
        })
      if ('result' in answer) return answer.result as SimResults[A]
      throw refused(action, answer)
    } finally {
      finished.abort()
    }
  }

  async function listPage(filter: InstanceFilter, cursor?: string, signal?: AbortSignal): Promise<InstancePage> {
    const input = { filter, ...(cursor !== undefined && { nextToken: cursor }) }
    const { instances, nextToken } = await call('DescribeInstances', input, signal)
    return { instances, ...(nextToken !== undefined && { next: nextToken }) }
  }

  return {
    provider: 'sim',
    region,
    guarantees: { ...defaultGuarantees, ...options.guarantees },
    limits: { ...defaultLimits, ...options.limits },
    verify: (signal) => call('GetCallerIdentity', {}, signal),
    regions: async (signal) => (await call('DescribeRegions', {}, signal)).regions,
    listPage,
    list: (filter, signal) => pages(listPage, filter, signal),
    async get(instanceId, signal) {
      try {
        return (await call('DescribeInstances', { ids: [instanceId] }, signal)).instances[0]
      } catch (error) {
        if (isNoInstance(error)) return undefined
        throw error
      }
    },
    chooseZone: async () => undefined, // as EC2, it chooses by itself
    // Without `series`: as EC2 with a client token, it remembers no refusal.
    create: async ({ series: _, ...spec }, signal) => (await call('RunInstances', { spec }, signal)).instance,
    start: async (ids, signal) => void (await call('StartInstances', { ids }, signal)),
    stop: async (ids, signal) => void (await call('StopInstances', { ids }, signal)),
    terminate: async (ids, signal) => void (await call('TerminateInstances', { ids }, signal)),
    resize: async (id, instanceType, signal) =>
      void (await call('ModifyInstanceAttribute', { id, instanceType }, signal)),
    tag: async (ids, tags, signal) => void (await call('CreateTags', { ids, tags }, signal)),
    untag: async (ids, keys, signal) => void (await call('DeleteTags', { ids, keys }, signal)),
  }
}

function refused(action: SimAction, { status, requestId, error }: Refusal): CloudError {
  const errorClass = awsErrorClass({ ...error, status })
  const outcomeUnknown = errorClass === 'transient' && !isRead(action)
  return new CloudError(error.message, { class: errorClass, code: error.code, action, requestId, outcomeUnknown })
}

function isNoInstance(error: unknown): boolean {
  return error instanceof CloudError && error.code.startsWith('InvalidInstanceID.')
}

/** A refused connection did nothing; after any other silence nobody can say. */
function noAnswer(action: SimAction, cause: unknown): CloudError {
  const refused = (cause as { code?: unknown }).code === 'ECONNREFUSED'
  const words = cause instanceof Error ? cause.message : String(cause)
  return new CloudError(`No answer from the simulated cloud: ${words}`, {
    class: 'transient',
    action,
    unanswered: true,
    outcomeUnknown: !refused && !isRead(action),
    cause,
  })
}
