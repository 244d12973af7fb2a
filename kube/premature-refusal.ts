/**
 * Tells a refusal that counts from one by a server that has only just started: until kube-apiserver has read the roles and their bindings
 * it answers everybody everything with 403, for a tenth of a second or, on a busy machine, for some. It is not ready by its own
 * account then: `/readyz` is refused like everything else, and is 500 until the last informer has synced.
 *
 * Guarantees: a 403 of a server that is ready is left as it is, at the cost of one small request. Caveat: of a server that never lets us
 * ask for its health it cannot be known; its 403 stays one, after the retries.
 *
 * @see https://kubernetes.io/docs/reference/using-api/health-checks/
 */
import { KubeError } from './kube-error.ts'
import type { Transport } from './transport.ts'

const NOT_READY = 'NotReady'
const ANSWER_WITHIN_MS = 5_000

/** Gives the refusal as it is, or, of a server that is not ready, one that may be sent again. */
export async function weighed(
  refusal: KubeError,
  http: Pick<Transport, 'raw'>,
  signal: AbortSignal | undefined,
): Promise<KubeError> {
  const status = await readiness(http, signal)
  const mayAsk = status !== 401 && status !== 403
  const isReady = mayAsk && status > 0 && status < 500 && status !== 429
  if (isReady) return refusal
  const { request, details, message } = refusal
  return new KubeError(mayAsk ? `the API server is not ready, and refuses everything: ${message}` : message, {
    ...{ status: mayAsk ? 503 : refusal.status, reason: NOT_READY, request, details, cause: refusal },
  })
}

/** The server has not looked at what was asked, so that a write may be sent again as well. */
export function isPremature({ reason }: KubeError): boolean {
  return reason === NOT_READY
}

/** The status of `/readyz`; 0: no answer. */
async function readiness(http: Pick<Transport, 'raw'>, signal: AbortSignal | undefined): Promise<number> {
  try {
    return (await http.raw({ method: 'GET', path: '/readyz', timeoutMs: ANSWER_WITHIN_MS, signal })).status
  } catch {
    signal?.throwIfAborted()
    return 0
  }
}
