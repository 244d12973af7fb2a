/**
 * What no route takes: 405 with `Allow` where another method would do, 204 for `OPTIONS`, and otherwise 404. Works
 * on the routes the app has, so that it cannot disagree with them.
 */
import type { NotFoundHandler } from 'hono'
import { TrieRouter } from 'hono/router/trie-router'
import { refused } from '../language/messages.ts'
import { ApiError } from './api-error.ts'
import type { ApiEnv } from './call.ts'
import type { ApiApp } from './define-route.ts'
import { errorAnswer } from './envelope.ts'

export function unmatched(app: ApiApp): NotFoundHandler<ApiEnv> {
  let routes: TrieRouter<string> | undefined

  function allowedAt(path: string): readonly string[] {
    routes ??= routerOf(app)
    const methods = new Set(routes.match('ALL', path)[0].map(([method]) => method))
    if (methods.has('GET')) methods.add('HEAD')
    return methods.size === 0 ? [] : [...methods, 'OPTIONS'].sort()
  }

  return (context) => {
    const call = context.env.call
    const allowed = allowedAt(context.req.path).join(', ')
    if (allowed === '') return errorAnswer(call, new ApiError('NOT_FOUND', refused.noRoute))
    if (context.req.method === 'OPTIONS')
      return new Response(null, { status: 204, headers: { ...call.headers, allow: allowed } })
    return errorAnswer(
      call,
      new ApiError('METHOD_NOT_ALLOWED', refused.method(allowed), { headers: { allow: allowed } }),
    )
  }
}

function routerOf(app: ApiApp): TrieRouter<string> {
  const router = new TrieRouter<string>()
  for (const { method, path } of app.routes) if (method !== 'ALL') router.add('ALL', path, method)
  return router
}
