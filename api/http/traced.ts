/**
 * A span for each call of the API, around all that answers it; the caller's `traceparent` is honoured. It is named after the
 * route, and says nothing of what the caller wrote but the id that their X-Request-Id may be.
 */
import { TrieRouter } from 'hono/router/trie-router'
import { getPath } from 'hono/utils/url'
import type { Tracing } from '../../tracing/tracing.ts'
import type { ApiApp } from './define-route.ts'
import type { ApiFetch } from './gate.ts'

export interface Traceable {
  readonly fetch: ApiFetch
  readonly routes: Pick<ApiApp, 'routes'>
}

export function traced({ fetch, routes: { routes } }: Traceable, tracing: Tracing): { readonly fetch: ApiFetch } {
  const router = new TrieRouter<string>()
  for (const { method, path } of routes) if (method !== 'ALL') router.add(method, path, documented(path))

  return {
    fetch(request, connection) {
      const { method, headers } = request
      const path = getPath(request)
      if (!path.startsWith('/api/')) return fetch(request, connection)
      const route = router.match(method === 'HEAD' ? 'GET' : method, path)[0].at(-1)?.[0]
      const start = {
        name: route === undefined ? method : `${method} ${route}`,
        kind: 'server',
        parent: headers.get('traceparent') ?? undefined,
        attributes: { 'http.request.method': method, ...(route !== undefined && { 'http.route': route }) },
      } as const
      return tracing.run(start, (span) => {
        const told = (answer: Response): Response => {
          const requestId = answer.headers.get('x-request-id') ?? ''
          span.set({ 'http.response.status_code': answer.status, 'skyclust.request_id': requestId })
          if (answer.status >= 500) span.fail()
          return answer
        }
        const answer = fetch(request, connection)
        return answer instanceof Promise ? answer.then(told) : told(answer)
      })
    },
  }
}

/** `/vms/{id}`, as the document of the API has it, of Hono's `/vms/:id`. */
function documented(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}')
}
