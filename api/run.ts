/**
 * The facade, as a table of contents: what it is made of, in the order in which that starts, and stops.
 *
 * Guarantees: it starts only in a cluster that answers and knows our kinds, and listens only once it has read what there is;
 * a later outage is waited out, not ready. On a stop it takes no new connection, finishes what runs within
 * {@link DRAIN_MS}, answers 503 in time where the API server does not answer, and writes down the last audit line.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { providers } from '../clouds/providers.ts'
import { shownSettings } from '../config/settings.ts'
import { kubeClient } from '../kube/client.ts'
import type { Cluster } from '../kube/cluster.ts'
import { countedAndTraced } from '../tracing/traced-calls.ts'
import { tracingFor } from '../tracing/tracing-for.ts'
import { facadeApp } from './app.ts'
import { auditLine } from './audit/audit-event.ts'
import { openAudit } from './audit/open-audit.ts'
import { accounts } from './auth/accounts.ts'
import { apiTokens, MAX_TOKEN_LIFE_MS } from './auth/api-tokens.ts'
import { authenticate, STALE_AFTER_MS } from './auth/authenticate.ts'
import { emailClaims } from './auth/email-claims.ts'
import { firstAdministrator } from './auth/first-administrator.ts'
import { login } from './auth/login.ts'
import { oidcDesk } from './auth/oidc/desk.ts'
import { passwords } from './auth/password-hash.ts'
import { passwordStore } from './auth/password-store.ts'
import { sessions } from './auth/sessions.ts'
import { type SigningKeys, signingKeys } from './auth/signing-keys.ts'
import { tokens } from './auth/tokens.ts'
import { unclaimedAttempts } from './auth/unclaimed-attempts.ts'
import { cloudDesk } from './clouds/cloud-desk.ts'
import { credentialIdentity } from './clouds/credential-identity.ts'
import { type ApiConfig, apiSettings } from './config.ts'
import type { Facade, ShownConfiguration } from './facade.ts'
import type { Call } from './http/call.ts'
import { isOurFault, toApiError } from './http/error-mapping.ts'
import { rateLimit } from './http/rate-limit.ts'
import { httpServer } from './http/server.ts'
import { sourceAddress } from './http/source-address.ts'
import { traced } from './http/traced.ts'
import { negotiation } from './language/negotiation.ts'
import { vmFeed } from './live/vm-feed.ts'
import { apiMetrics } from './metrics.ts'
import { askCluster } from './prerequisites.ts'
import { estimates } from './prices/estimates.ts'
import { openCatalogue } from './prices/open-catalogue.ts'
import { priceDesk } from './prices/price-desk.ts'
import { probes } from './probes.ts'
import { access } from './store/access.ts'
import { credentialChoice } from './store/credential-choice.ts'
import { store as openStore, type Store } from './store/store.ts'
import { asCaller } from './writes/as-caller.ts'
import { FIELD_MANAGER } from './writes/field-owners.ts'
import { tracedWrites } from './writes/traced-writes.ts'

export interface RunOptions {
  readonly config: ApiConfig
  readonly cluster: Cluster
  readonly log: Logger
  readonly signal: AbortSignal
}

const DRAIN_MS = 15_000
/** From then on the API server is not waited for any more: what it has not answered is answered by us. */
const PATIENT_MS = 12_000
/** For the spans of what was answered last. */
const TRACES_WITHIN_MS = 2_000
/** A watch is opened anew now and then; longer than that is an outage. */
const CUT_OFF_AFTER_MS = 5_000
const KEYS_EVERY_MS = 60_000
const SWEEP_EVERY_MS = 10 * 60_000

/** Runs until `signal` is aborted. Throws one line that says why it cannot start. */
export async function runFacade({ config, cluster, log, signal }: RunOptions): Promise<void> {
  const ended = new AbortController()
  const catalogue = openCatalogue(config.prices)
  const metrics = apiMetrics()
  const tracing = await tracingFor('skyclust-api', config, log)
  const client = kubeClient({
    cluster,
    fieldManager: FIELD_MANAGER,
    onAnswer: metrics.kubeAnswered,
    ...(tracing && { annotationsFor: tracedWrites(tracing) }),
  })
  await askCluster(client, cluster.server, signal)

  const audit = await openAudit(config, (error) => log.error({ err: error }, 'the audit log cannot be written'))
  const store = openStore({ client, namespace: config.namespace, signal: ended.signal })
  let isListening = false
  const side = await probes({
    host: config.metricsHost,
    port: config.metricsPort,
    registry: metrics.registry,
    missing: () => [...missing(store), ...(isListening ? [] : ['it does not listen yet'])],
  })
  await store.synced(signal)

  const { facade, keys, sweeps } = await assemble()
  const app = facadeApp(facade)
  await makeFirstAdministrator(facade)
  const server = await httpServer(tracing ? traced(app, tracing) : app, {
    host: config.host,
    port: config.port,
    locale: config.locale,
    onMalformed: recordMalformed,
    onError: (error) => log.error({ err: error }, 'a request failed outside of its route'),
  })
  isListening = true
  const timers = [every(KEYS_EVERY_MS, keys.refresh), ...sweeps.map((sweep) => every(SWEEP_EVERY_MS, sweep))]
  metrics.observed('skyclust_api_audit_dropped', 'Audit lines that were lost.', () => audit.log.dropped)
  metrics.observed('skyclust_api_audit_pending', 'Audit lines that wait to be written.', () => audit.log.pending)
  metrics.observed('skyclust_api_cache_staleness_seconds', 'Since when the cluster was not heard.', () => {
    return Math.max(0, store.staleMs()) / 1000
  })
  metrics.observed('skyclust_api_listeners', 'Streams of VMs that are open.', () => facade.live.size)
  log.info({ url: server.url, metrics: side.url }, 'listening')

  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  for (const timer of timers) clearInterval(timer)
  facade.live.close() // or its streams would hold the server open
  const impatient = setTimeout(() => void client.close(), PATIENT_MS)
  if (!(await server.close(DRAIN_MS)))
    log.warn(`requests took longer than ${DRAIN_MS / 1000} s to finish and were cut off`)
  clearTimeout(impatient)
  await audit.log.close(2_000)
  ended.abort(signal.reason)
  await Promise.all([store.done, side.close()])
  await client.close()
  await tracing?.close(TRACES_WITHIN_MS)

  async function assemble(): Promise<{ facade: Facade; keys: SigningKeys; sweeps: readonly (() => Promise<void>)[] }> {
    const { namespace } = config
    const keys = await signingKeys({
      client,
      namespace,
      rotateAfterMs: config.signingKeyRotation,
      tokenLifeMs: Math.max(config.tokenTtl, MAX_TOKEN_LIFE_MS),
    })
    const issued = tokens(keys)
    const hashes = passwords()
    const claims = emailClaims({ client, namespace, store })
    const kept = passwordStore(client, namespace)
    const begun = sessions({ client, namespace, store, tokens: issued, loginLifeMs: config.tokenTtl })
    const people = accounts({ client, store, claims, passwords: hashes, passwordStore: kept, sessions: begun })
    const oidc = oidcDesk({ client, namespace, accounts: people, settings: config.oidc })
    const may = access(store, client)
    const enabled = providers({
      enabled: config.providers,
      ...(config.simEndpoint && { simUrl: config.simEndpoint }),
      ...(config.gcpEndpoint && { gcpEndpoint: config.gcpEndpoint }),
      onCall: countedAndTraced(metrics.cloudCalled, tracing),
    })
    const identityOf = credentialIdentity({ client })
    const onError = (error: unknown) => log.warn({ err: error }, 'a login attempt could not be counted')

    const facade: Facade = {
      registration: config.registration,
      version: programVersion(),
      configuration: () => shown(config, cluster),
      store,
      access: may,
      asCaller: asCaller({ client, store, stopping: signal }),
      credentialFor: credentialChoice(store, may, client),
      login: login({
        ...{ client, store, claims, passwords: hashes, passwordStore: kept, onError },
        unclaimed: unclaimedAttempts(client, namespace),
      }),
      accounts: people,
      sessions: begun,
      apiTokens: apiTokens({ client, namespace, store, tokens: issued, randomUUID }),
      oidc,
      signingKeys: keys,
      stopping: signal,
      live: vmFeed({ store, prices: catalogue, isStale: () => store.staleMs() > STALE_AFTER_MS }),
      clouds: cloudDesk({ providers: enabled, identityOf }),
      prices: priceDesk({ catalogue, identityOf, asksClouds: config.priceApi }),
      estimates: estimates({ client, namespace, store, perUser: config.estimatesPerUser }),
      auditTrail: audit.trail,
      gate: {
        negotiate: negotiation(config.locale),
        sourceAddress: sourceAddress(config.trustedProxies ?? []),
        authenticate: authenticate({ store, tokens: issued, client, namespace }),
        userLimit: rateLimit({ name: 'user', perSecond: config.userRate, burst: config.userBurst }),
        addressLimit: rateLimit({ name: 'address', perSecond: config.addressRate, burst: config.addressBurst }),
        audit: audit.log,
        onAuditLine: audit.remember,
        auditWaits: config.auditWaits,
        toApiError: explain,
        onAnswer: metrics.answered,
      },
    }
    return { facade, keys, sweeps: [begun.sweep, () => oidc.singleUse.sweep(signal)] }
  }

  function explain(error: unknown, { requestId }: Call) {
    const explained = toApiError(error, requestId)
    if (isOurFault(explained)) log.error({ err: error, requestId }, 'a call failed')
    return explained
  }

  async function makeFirstAdministrator(facade: Facade): Promise<void> {
    const { adminEmail: email, adminPassword: password } = config
    if (email === undefined || password === undefined) return
    const outcome = await firstAdministrator({ email, password }, facade)
    if (outcome === 'made') log.info({ email }, 'made the first administrator')
    if (outcome === 'address-taken') {
      log.warn({ email }, 'SKYCLUST_ADMIN_EMAIL is the address of a user who is no administrator; nobody was promoted')
    }
  }

  function recordMalformed(status: number, source: string): void {
    const call: Call = {
      requestId: '',
      receivedAt: Date.now(),
      startedAt: performance.now(),
      sourceAddress: source,
      locale: config.locale,
      headers: {},
      caller: undefined,
      object: undefined,
    }
    const answered = { call, method: '', url: '/', status, userAgent: undefined, endedAt: call.startedAt }
    audit.log.write(auditLine(answered), 'soon')
  }

  function every(ms: number, task: () => Promise<void>): NodeJS.Timeout {
    return setInterval(() => {
      task().catch((error: unknown) => log.warn({ err: error }, 'a periodic task failed; it is tried again'))
    }, ms).unref()
  }
}

/** What keeps the facade from its work now. */
function missing(store: Store): readonly string[] {
  if (!store.isSynced) return ['The cluster is still being read.']
  const lost = store.cutOffMs() > CUT_OFF_AFTER_MS || store.staleMs() > STALE_AFTER_MS
  return lost ? ['The cluster has not been heard for too long.'] : []
}

function shown(config: ApiConfig, { server }: Cluster): ShownConfiguration {
  const { adminPassword: _secret, ...settings } = shownSettings(apiSettings, config)
  const port = Number(server.port) || (server.protocol === 'https:' ? 443 : 80)
  return { ...inSnakeCase(settings), database: { host: server.hostname, port, name: 'kubernetes' }, redis: null }
}

/** As REST names its fields: `tokenTtl` is shown as `token_ttl`. */
function inSnakeCase(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const named = Object.entries(settings).map(([key, value]) => {
    const isFamily = typeof value === 'object' && value !== null && !Array.isArray(value)
    const name = key.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
    return [name, isFamily ? inSnakeCase(value as Readonly<Record<string, unknown>>) : value] as const
  })
  return Object.fromEntries(named)
}

function programVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
