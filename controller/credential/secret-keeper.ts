/**
 * Keeps the Secrets of Credentials: a label by which they are watched, and a finalizer, so that neither a person nor the
 * deletion of a namespace takes away the key with which instances are terminated.
 *
 * Guarantees: a Secret that a Credential names is held before its key is used; it is let go of only when no Credential
 * names it. Label and finalizer are put on and taken off together, in one write on top of what was read.
 */
import type { Credential } from '../../crds/credential.ts'
import { finalizers, labels } from '../../crds/names.ts'
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { hasFinalizer } from '../../kube/finalizers.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { keyOf } from '../../kube/resource.ts'
import { isDeleting } from '../report.ts'

export interface SecretKeeperOptions {
  readonly client: KubeClient
  /** Of those that carry the label only. */
  readonly secrets: Cache<Secret>
  readonly credentials: Cache<Credential>
}

export interface SecretKeeper {
  /** The Secret that the Credential names, held; `undefined` when it names none, or there is none. */
  hold(credential: Credential, signal: AbortSignal): Promise<Secret | undefined>
  /** Lets go of those in the namespace that no Credential names, `leaving` not counted. */
  release(namespace: string, leaving: Credential | undefined, signal: AbortSignal): Promise<void>
}

export function secretKeeper({ client, secrets, credentials }: SecretKeeperOptions): SecretKeeper {
  async function find(namespace: string, name: string, signal: AbortSignal): Promise<Secret | undefined> {
    const cached = secrets.get({ namespace, name })
    if (cached) return cached
    try {
      return await client.get(secretType, { namespace, name }, { signal }) // not held yet, so not watched
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    async hold({ metadata: { namespace = '' }, spec }, signal) {
      const secret = spec.secretRef && (await find(namespace, spec.secretRef.name, signal))
      if (!secret || isHeld(secret)) return secret
      if (!isDeleting(secret)) return setHold(client, secret, true, signal)
      // No finalizer can be added any more: it is as good as gone, unless it has ours already.
      return hasFinalizer(secret, finalizers.credential) ? secret : undefined
    },

    async release(namespace, leaving, signal) {
      const named = new Set(
        credentials
          .list(namespace)
          .filter(({ metadata }) => metadata.uid !== leaving?.metadata.uid)
          .map(({ spec }) => spec.secretRef?.name),
      )
      for (const secret of secrets.list(namespace)) {
        if (named.has(secret.metadata.name)) continue
        try {
          await setHold(client, secret, false, signal)
        } catch (error) {
          if (!isNotFound(error)) throw error
        }
      }
    },
  }
}

function isHeld(secret: Secret): boolean {
  return secret.metadata.labels?.[labels.credentialSecret] === 'true' && hasFinalizer(secret, finalizers.credential)
}

function setHold(client: KubeClient, secret: Secret, hold: boolean, signal: AbortSignal): Promise<Secret> {
  const { uid, resourceVersion } = secret.metadata
  const others = (secret.metadata.finalizers ?? []).filter((name) => name !== finalizers.credential)
  const metadata = {
    uid,
    resourceVersion,
    labels: { [labels.credentialSecret]: hold ? 'true' : null },
    finalizers: hold ? [...others, finalizers.credential] : others,
  }
  return client.patch(secretType, keyOf(secret), { metadata }, { kind: 'merge', signal })
}
