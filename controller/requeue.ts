/** What becomes of a key whose reconcile threw, where its kind does not know better. */
import type { Logger } from 'pino'
import type { RequeueDecision } from '../kube/controller.ts'
import { isConflict, isUnavailable } from '../kube/kube-error.ts'
import { keyString, type ObjectKey } from '../kube/resource.ts'

/** The cache is a little behind what was written; it will not be for long. */
const BEHIND_MS = 100

export function requeueAfter(log: Logger): (key: ObjectKey, error: unknown) => RequeueDecision {
  return (key, error) => {
    if (isConflict(error)) return { afterMs: BEHIND_MS }
    log.warn({ key: keyString(key), err: error }, isUnavailable(error) ? 'the API server is away' : 'reconcile failed')
    return 'backoff'
  }
}
