/**
 * The controller of Credentials: holds the Secret, asks the cloud who it is, tells the registry and the status, and lets
 * go when nobody needs it any more.
 *
 * The order makes a crash before, during or after each step harmless: the Credential's finalizer, then the Secret's, then
 * the key is used. On the way out the Secret is let go of first, then the Credential; both steps may be repeated. While
 * a Credential that is being deleted is still needed, it is held, verified and served as ever, since the instances that
 * were made with it are ended with it.
 */
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { finalizers } from '../../crds/names.ts'
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Result } from '../../kube/controller.ts'
import { ensureFinalizer, hasFinalizer, removeFinalizer } from '../../kube/finalizers.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import type { KindController } from '../kind-controller.ts'
import type { KindDependencies } from '../kinds.ts'
import { isPaused } from '../pause.ts'
import { isDeleting, type Report, reporter } from '../report.ts'
import { namesIn, usersOf } from './credential-users.ts'
import { grantToFacade } from './facade-grant.ts'
import { secretKeeper } from './secret-keeper.ts'
import type { Finding } from './verification.ts'
import { verifier } from './verifier.ts'

export type CredentialDependencies = Pick<KindDependencies, 'client' | 'events' | 'registry' | 'providers'> & {
  readonly caches: Pick<KindDependencies['caches'], 'credentials' | 'credentialSecrets' | 'vms' | 'runs'>
  readonly config: Pick<KindDependencies['config'], 'ambientCredentials' | 'namespace'>
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly random?: () => number
}

/** Each waits for one call to the cloud. */
const CONCURRENCY = 8
/** As many users are named in a message; the rest is counted. */
const NAMED_USERS = 10
/** So that a thousand VMs that go are not a thousand lists of those that are left. */
const GATHER_MS = 500

export function credentialController(deps: CredentialDependencies): KindController {
  const { client, events, caches, config, registry, now = Date.now, random = Math.random } = deps
  const { credentials, credentialSecrets: secrets, vms, runs } = caches
  const keeper = secretKeeper({ client, secrets, credentials })
  const verify = verifier({ ...deps, ambientAllowed: config.ambientCredentials, now, random })
  const report = reporter({ client, events, type: credentialKind, now })

  async function reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const found = credentials.get(key)
    if (!found || isLetGo(found)) return undefined
    if (isPaused(found)) return void (await report.sayPaused(found, signal))
    const needs = isDeleting(found) ? await usersOf(found, { client, vms, runs }, signal) : []
    if (isDeleting(found) && needs.length === 0) return void (await letGo(found, signal))

    const credential = await ensureFinalizer(client, credentialKind, found, finalizers.credential, { signal })
    const secret = await keeper.hold(credential, signal)
    const say = (finding: Finding) => report.say(credential, reportOf(finding, needs), signal)
    // What comes of it in the end is said in any case.
    const onSilence = (finding: Finding) => void say(finding).catch(() => undefined)
    const { finding, againAfterMs, rotated } = await verify(credential, secret, { signal, onSilence })
    if (rotated) tellRotated(credential)
    if (isNew(credential)) await grantToFacade(credential, { client, installationNamespace: config.namespace }, signal)
    await say(finding)
    if (finding.kind === 'accepted') await keeper.release(key.namespace ?? '', undefined, signal)
    return { requeueAfterMs: againAfterMs }
  }

  function tellRotated(credential: Credential): void {
    const message = 'The key in the Secret is another one, and the cloud accepted it: it is used from now on.'
    events.record(credential, { type: 'Normal', reason: 'Rotated', message })
  }

  async function letGo(credential: Credential, signal: AbortSignal): Promise<void> {
    await keeper.release(credential.metadata.namespace ?? '', credential, signal)
    await removeFinalizer(client, credentialKind, credential, finalizers.credential, { signal })
  }

  return {
    name: 'credential',
    concurrency: CONCURRENCY,
    reconcile,
    all: () => credentials.list().map(keyOf),

    follow(wake) {
      const wakeLeaving = (key: ObjectKey) => {
        const credential = credentials.get(key)
        if (credential && isDeleting(credential)) wake(key, { afterMs: GATHER_MS })
      }
      credentials.onChange(({ object }) => wake(keyOf(object)))
      registry.onDoubt((namespace, name) => wake({ namespace, name }))
      secrets.onChange(({ object: { metadata } }) => {
        for (const credential of credentials.index('secret', `${metadata.namespace}/${metadata.name}`))
          wake(keyOf(credential))
      })
      vms.onChange(({ object: { metadata, spec } }) =>
        wakeLeaving({ namespace: metadata.namespace, name: spec.credentialRef.name }),
      )
      runs.onChange(({ object }: { readonly object: TofuRun }) => {
        for (const name of namesIn(object)) wakeLeaving({ namespace: object.metadata.namespace, name })
      })
    },
  }
}

/** Deleted, and nothing of ours keeps it: only somebody else's finalizer does. */
function isLetGo(credential: Credential): boolean {
  return isDeleting(credential) && !hasFinalizer(credential, finalizers.credential)
}

/** It is, or its spec is. Whoever takes the facade's grant away stops the facade: it comes again only with another spec. */
function isNew(credential: Credential): boolean {
  return !isDeleting(credential) && credential.metadata.generation !== credential.status?.observedGeneration
}

function reportOf(finding: Finding, needs: readonly string[]): Report<NonNullable<Credential['status']>> {
  const passing = { InUse: inUse(needs) }
  if (finding.kind !== 'accepted') return { readiness: finding.readiness, passing }
  const { account, identity } = finding
  const message = `The cloud knows it as ${identity} of account ${account}.`
  return { readiness: { phase: 'ready', reason: 'Accepted', message }, fields: { account, identity }, passing }
}

function inUse(needs: readonly string[]): { readonly reason: string; readonly message: string } | undefined {
  if (needs.length === 0) return undefined
  const named = needs.slice(0, NAMED_USERS).join(', ')
  const more = needs.length > NAMED_USERS ? ` and ${needs.length - NAMED_USERS} more` : ''
  return { reason: 'StillNeeded', message: `It goes once nothing needs it any more: ${named}${more}.` }
}
