/**
 * Signals that are aborted when time is up: for a whole request, or for the silence of a stream. The reason is a `KubeError`
 * of status 0, `Timeout`. Both must be released, and leave no timer and no listener then.
 */
import type { Clock } from './clock.ts'
import { KubeError } from './kube-error.ts'

/** A signal that is aborted by its parent, or when the time is up. Must be released. */
export function withDeadline(parent: AbortSignal | undefined, timeoutMs: number, clock: Clock) {
  const controller = new AbortController()
  const timeout = () =>
    controller.abort(
      new KubeError(`no answer from the API server within ${timeoutMs} ms`, { status: 0, reason: 'Timeout' }),
    )
  const cancel = clock.after(timeoutMs, timeout)
  const unlink = follow(parent, controller)
  return {
    signal: controller.signal,
    release() {
      cancel()
      unlink()
    },
  }
}

/** A signal that is aborted by its parent, or when nothing is heard for `silenceMs` while somebody listens. */
export function withSilenceBound(parent: AbortSignal | undefined, silenceMs: number, clock: Clock) {
  const controller = new AbortController()
  const unlink = follow(parent, controller)
  let listening = false
  let armedFor = 0
  let cancel: (() => void) | undefined

  /** One timer for the whole stream: a chunk only moves the time that it is checked against. */
  function arm(delayMs: number): void {
    cancel = clock.after(delayMs, () => {
      cancel = undefined
      const left = armedFor - clock.now()
      if (!listening) return
      if (left > 0) return arm(left)
      const message = `nothing came from the API server for ${silenceMs} ms`
      controller.abort(new KubeError(message, { status: 0, reason: 'Timeout' }))
    })
  }

  return {
    signal: controller.signal,
    listen() {
      listening = true
      armedFor = clock.now() + silenceMs
      if (!cancel) arm(silenceMs)
    },
    heard() {
      listening = false
    },
    release() {
      cancel?.()
      unlink()
      controller.abort()
    },
  }
}

function follow(parent: AbortSignal | undefined, controller: AbortController): () => void {
  if (!parent) return () => undefined
  const abort = () => controller.abort(parent.reason)
  if (parent.aborted) abort()
  parent.addEventListener('abort', abort, { once: true })
  return () => parent.removeEventListener('abort', abort)
}
