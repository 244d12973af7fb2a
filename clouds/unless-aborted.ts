/**
 * The promise, or a rejection with the signal's reason if that comes first. It leaves no listener behind: a signal
 * composed by `AbortSignal.any` is held in memory by its sources for as long as somebody listens to it.
 */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
