/**
 * A LIST in pages. The next page is under way while the consumer works on the present one.
 *
 * All pages show the selection at one resource version. Throws `isGone` when the list took so long that the server
 * no longer has that version; the consumer then has to start over.
 *
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 */
import type { KubeClient, List, ListOptions } from './client.ts'
import type { KubeObject, ResourceType } from './resource.ts'

export async function* listPages<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: Omit<ListOptions, 'continue'> = {},
): AsyncGenerator<List<T>, void, undefined> {
  const stop = new AbortController()
  const onAbort = () => stop.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted) onAbort()

  const fetch = (token?: string) => {
    const page = client.list(type, { ...options, ...(token ? { continue: token } : {}), signal: stop.signal })
    page.catch(() => undefined) // it is awaited, but perhaps not before it fails
    return page
  }

  try {
    let next: Promise<List<T>> | undefined = fetch()
    while (next) {
      const page: List<T> = await next
      next = page.metadata.continue ? fetch(page.metadata.continue) : undefined
      yield page
    }
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
    stop.abort() // a page that nobody wants any more
  }
}
