/** Logging in, or linking oneself, at an external identity provider. */
import { randomBytes } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import { wholeSeconds } from '../../kube/conditions.ts'
import { requireLogin } from '../auth/api-tokens.ts'
import type { OidcProvider } from '../auth/oidc/provider.ts'
import type { Beginner, LoginState } from '../auth/oidc/state.ts'
import { oidcWords } from '../auth/oidc/words.ts'
import type { Facade } from '../facade.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import type { ApiContext } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, jsonBody, serve } from '../http/define-route.ts'
import { dataAnswer } from '../http/envelope.ts'
import { pathName, text, time } from '../http/schemas.ts'
import { userSummary, userSummarySchema } from '../shapes/user.ts'

const tags = ['OIDC']
const params = z.object({ provider: pathName('google') })
const security = [{}, { bearer: [] }]

const begin = createRoute({
  tags,
  security,
  method: 'get',
  path: '/oidc/{provider}/auth',
  summary: 'Begin a login at a provider, or with a token the linking of an identity',
  description:
    'Send the browser to `auth_url`. What comes back, `code` and `state`, is to be posted within ten minutes by whoever began: with the same token, or from the same browser (which has a cookie).',
  request: { params },
  responses: {
    200: data('Where to send the browser.', z.object({ auth_url: z.string(), state: z.string() })),
    ...failures,
  },
})

const finish = createRoute({
  tags,
  security,
  method: 'post',
  path: '/oidc/{provider}/callback',
  summary: 'Finish it',
  request: {
    params,
    body: jsonBody(
      z.strictObject({
        code: text({ min: 1, max: 8192 }),
        state: text({ min: 1, max: 8192 }),
        iss: text({ min: 1, max: 1024 }).optional().openapi({ description: 'RFC 9207: what the provider sent along.' }),
      }),
    ),
  },
  responses: {
    200: data(
      'Logged in; or linked, and then the token is the one that was sent.',
      z.object({ token: z.string(), expires_at: time, user: userSummarySchema }),
    ),
    ...failures,
  },
})

export function oidcRoutes(facade: Pick<Facade, 'registration' | 'sessions' | 'oidc'>): ApiApp {
  const { sessions, registration } = facade
  const { providers, states, singleUse, signIn } = facade.oidc
  const app = apiApp()

  function providerOf(context: ApiContext): OidcProvider {
    const provider = providers.get((context.req.param('provider') ?? '').toLowerCase())
    if (provider === undefined) throw notFound()
    return provider
  }

  /** The state is good, it is the caller's own, and it is used up from here on. */
  async function usedState(state: string, provider: string, beginner: Beginner): Promise<LoginState> {
    const opened = await states.open(state, { provider, beginner })
    if (opened === 'stranger') throw new ApiError('UNAUTHORIZED', oidcWords.otherBrowser)
    if (opened === 'invalid' || !(await singleUse.use(opened.id)))
      throw new ApiError('UNAUTHORIZED', oidcWords.badState)
    return opened
  }

  function mayRegister({ settings }: OidcProvider): boolean {
    return (settings.registration === 'as-registration' ? registration : settings.registration) === 'open'
  }

  serve(app, begin, async (context) => {
    const provider = providerOf(context)
    const beginner = beginnerIn(context) ?? setCookie(context, provider)
    const { state, ...secrets } = await states.make({ provider: provider.name, beginner })
    const url = await provider.authorizationUrl({ state, ...secrets })
    return dataAnswer(context, { auth_url: url.href, state })
  })

  serve(app, finish, async (context) => {
    const provider = providerOf(context)
    const { code, state, iss } = context.req.valid('json')
    const call = context.env.call
    const beginner: Beginner = beginnerIn(context) ?? { kind: 'browser', secret: '' } // one without the cookie began nothing
    const opened = await usedState(state, provider.name, beginner)
    const identity = await provider.redeem({ ...opened, code, state, issuer: iss })

    if (call.caller !== undefined) {
      const { user, session } = call.caller
      call.object = { resource: 'users', id: user.metadata.uid, name: user.metadata.name }
      await signIn.link(identity, user)
      return dataAnswer(context, {
        token: bearerToken(context),
        expires_at: wholeSeconds(new Date(session.spec.expiresAt)),
        user: userSummary(user),
      })
    }
    const user = await signIn.logIn(identity, { provider: provider.name, mayRegister: mayRegister(provider) })
    call.object = { resource: 'users', id: user.metadata.uid, name: user.metadata.name }
    if (user.spec.disabled) throw new ApiError('FORBIDDEN', oidcWords.disabled)
    const origin = { userAgent: context.req.header('user-agent'), sourceAddress: call.sourceAddress }
    const groups = identity.groups.length > 0 ? { groups: [...identity.groups] } : {}
    const { token, session } = await sessions.begin(user, origin, groups)
    return dataAnswer(context, {
      token,
      expires_at: wholeSeconds(new Date(session.spec.expiresAt)),
      user: userSummary(user),
    })
  })

  return app
}

/** Who calls, as far as a login is concerned; `undefined` for a browser without our cookie. */
function beginnerIn(context: ApiContext): Beginner | undefined {
  const { caller } = context.env.call
  if (caller !== undefined) {
    requireLogin(caller)
    return { kind: 'user', uid: caller.id }
  }
  if (!isBrowser(context)) return { kind: 'program' }
  const secret = cookieForm.exec(context.req.header('cookie') ?? '')?.[1]
  return secret === undefined ? undefined : { kind: 'browser', secret }
}

/**
 * Only a browser can be made to post what somebody else began (login CSRF), and every browser says what it is: by headers that
 * no page can take away, or at least by its name.
 *
 * @see https://developer.mozilla.org/en-US/docs/Glossary/Forbidden_request_header
 */
function isBrowser(context: ApiContext): boolean {
  const { headers } = context.req.raw
  return headers.has('sec-fetch-site') || headers.has('origin') || /^Mozilla\//.test(headers.get('user-agent') ?? '')
}

const cookieForm = /(?:^|; *)(?:__Host-)?skyclust-login=([\w-]{43})(?:;|$)/
const COOKIE_LIFE_SECONDS = 600

/** `__Host-` keeps sibling domains from planting one of their own, where the page is served over TLS. */
function setCookie(context: ApiContext, { settings }: OidcProvider): Beginner {
  const secret = randomBytes(32).toString('base64url')
  const isSecure = settings.redirectUri.startsWith('https:')
  const name = isSecure ? '__Host-skyclust-login' : 'skyclust-login'
  const attributes = `Path=/; Max-Age=${COOKIE_LIFE_SECONDS}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  context.env.call.headers['set-cookie'] = `${name}=${secret}; ${attributes}`
  return { kind: 'browser', secret }
}

function bearerToken(context: ApiContext): string {
  return (context.req.header('authorization') ?? '').replace(/^bearer +/i, '').trim()
}
