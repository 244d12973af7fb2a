/**
 * The facade: everything it answers, on one page.
 *
 * A request passes the gate (`http/gate.ts`: rate, token, language, audit), then its route. What a route throws is
 * answered in one place (`http/error-mapping.ts`). To add a resource, write `routes/<resource>.ts` and name it here.
 */

import type { Facade } from './facade.ts'
import type { ApiApp } from './http/define-route.ts'
import { apiApp } from './http/define-route.ts'
import { errorAnswer } from './http/envelope.ts'
import { type ApiFetch, gate } from './http/gate.ts'
import { unmatched } from './http/unmatched.ts'
import { auditRoutes } from './routes/audit.ts'
import { authRoutes } from './routes/auth.ts'
import { costEstimateRoutes } from './routes/cost-estimates.ts'
import { credentialRoutes } from './routes/credentials.ts'
import { iacRoutes } from './routes/iac.ts'
import { iacContentRoutes } from './routes/iac-content.ts'
import { memberRoutes } from './routes/members.ts'
import { oidcRoutes } from './routes/oidc.ts'
import { providerRoutes } from './routes/providers.ts'
import { describe, systemRoutes } from './routes/system.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { userRoutes } from './routes/users.ts'
import { vmRoutes } from './routes/vms.ts'
import { watchRoutes } from './routes/watch.ts'
import { workspaceRoutes } from './routes/workspaces.ts'

export interface FacadeApp {
  /** What the server calls. */
  readonly fetch: ApiFetch
  /** Behind the gate: for who wants to know the routes. */
  readonly routes: ApiApp
}

export function facadeApp(facade: Facade): FacadeApp {
  const app = apiApp()
  app.onError((error, { env: { call } }) => errorAnswer(call, facade.gate.toApiError(error, call)))
  app.notFound(unmatched(app))

  app.route('/', systemRoutes(facade))
  app.route('/api/v1', authRoutes(facade))
  app.route('/api/v1', tokenRoutes(facade))
  app.route('/api/v1', oidcRoutes(facade))
  app.route('/api/v1', userRoutes(facade))
  app.route('/api/v1', workspaceRoutes(facade))
  app.route('/api/v1', memberRoutes(facade))
  app.route('/api/v1', credentialRoutes(facade))
  app.route('/api/v1', watchRoutes(facade)) // before /vms/{id}
  app.route('/api/v1', vmRoutes(facade))
  app.route('/api/v1', providerRoutes(facade))
  app.route('/api/v1', costEstimateRoutes(facade))
  app.route('/api/v1', iacRoutes(facade))
  app.route('/api/v1', iacContentRoutes(facade))
  app.route('/api/v1', auditRoutes(facade))
  describe(app, facade.version)
  return { fetch: gate(app, facade.gate), routes: app }
}
