/**
 * A cloud that tells of every call to it, whoever makes it: for metrics and traces. Nothing else of it is another's.
 */
import type { Cloud, CloudAction } from './cloud.ts'
import { isCloudError } from './cloud-error.ts'
import type { ErrorClass } from './error-classes.ts'
import { pages } from './pages.ts'

/** None of the fields has more than a few dozen values, the durations apart. */
export interface CallReport {
  readonly provider: string
  readonly region: string
  /** `price` is of a provider's catalogue of prices. */
  readonly action: CloudAction | 'price'
  readonly outcome: 'ok' | 'aborted' | ErrorClass
  readonly durationMs: number
  /** How many instances it was about. */
  readonly instances: number
}

export type OnCall = (call: CallReport) => void

/** @param now milliseconds from any origin; a test passes its own */
export function reportedCloud(cloud: Cloud, onCall: OnCall, now?: () => number): Cloud {
  const { provider, region } = cloud
  const told = <T>(action: CloudAction, instances: number, call: () => Promise<T>) =>
    reported({ provider, region, action, instances }, call, onCall, now)
  const listPage: Cloud['listPage'] = (...args) => told('list', 0, () => cloud.listPage(...args))

  return {
    provider,
    region,
    guarantees: cloud.guarantees,
    limits: cloud.limits,
    verify: (signal) => told('verify', 0, () => cloud.verify(signal)),
    regions: (signal) => told('regions', 0, () => cloud.regions(signal)),
    listPage,
    list: (filter, signal) => pages(listPage, filter, signal),
    get: (id, signal) => told('list', 0, () => cloud.get(id, signal)),
    chooseZone: (...args) => cloud.chooseZone(...args), // remembered: a call an hour
    create: (spec, signal) => told('create', 1, () => cloud.create(spec, signal)),
    start: (ids, signal) => told('start', ids.length, () => cloud.start(ids, signal)),
    stop: (ids, signal) => told('stop', ids.length, () => cloud.stop(ids, signal)),
    terminate: (ids, signal) => told('terminate', ids.length, () => cloud.terminate(ids, signal)),
    resize: (id, type, signal) => told('resize', 1, () => cloud.resize(id, type, signal)),
    tag: (ids, tags, signal) => told('tag', ids.length, () => cloud.tag(ids, tags, signal)),
    untag: (ids, keys, signal) => told('untag', ids.length, () => cloud.untag(ids, keys, signal)),
  }
}

/** One call, told of after it was answered or failed. */
export async function reported<T>(
  what: Pick<CallReport, 'provider' | 'region' | 'action' | 'instances'>,
  call: () => Promise<T>,
  onCall: OnCall,
  now = () => performance.now(),
): Promise<T> {
  const startedAt = now()
  const tell = (outcome: CallReport['outcome']) => onCall({ ...what, outcome, durationMs: now() - startedAt })
  try {
    const result = await call()
    tell('ok')
    return result
  } catch (error) {
    tell(isCloudError(error) ? error.class : 'aborted')
    throw error
  }
}
