/**
 * A user's password hash and failed logins, in one Secret named after the User object. All changes go by
 * compare-and-swap, so that replicas count together.
 */
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/kube-error.ts'
import type { OwnerReference } from '../../kube/resource.ts'
import { installationLabels, passwordSecretName, SECRET_KIND_LABEL } from '../installation-objects.ts'
import { ignoringNotFound } from '../writes/as-caller.ts'
import { type LoginAttempts, noAttempts } from './login-attempts.ts'

export interface PasswordRecord {
  /** In PHC format. */
  readonly hash: string
  readonly attempts: LoginAttempts
}

export interface PasswordStore {
  /** `undefined` for a user without a password: made by `kubectl`, or known by an identity provider only. */
  read(userName: string): Promise<PasswordRecord | undefined>
  /** Sets or replaces the password; attempts are forgotten. `owner` is absent while the User is being made. */
  set(userName: string, hash: string, owner?: OwnerReference): Promise<void>
  /** The User is there: the Secret goes when it goes. */
  tie(userName: string, owner: OwnerReference): Promise<void>
  /** Changes the record as it is now; nothing is written when `decide` returns what it was given. */
  update(userName: string, decide: (record: PasswordRecord) => PasswordRecord): Promise<void>
  remove(userName: string): Promise<void>
}

const ATTEMPTS = 16

export function passwordStore(client: KubeClient, namespace: string): PasswordStore {
  const labels = { ...installationLabels, [SECRET_KIND_LABEL]: 'password' }

  function keyFor(userName: string) {
    return { namespace, name: passwordSecretName(userName) }
  }

  async function readSecret(userName: string): Promise<Secret | undefined> {
    try {
      return await client.get(secretType, keyFor(userName))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    async read(userName) {
      const secret = await readSecret(userName)
      return secret && parse(secret)
    },

    async set(userName, hash, owner) {
      const data = encode({ hash, attempts: noAttempts })
      const ownership = owner === undefined ? {} : { ownerReferences: [owner] }
      try {
        const metadata = { ...keyFor(userName), labels, ...ownership }
        await client.create(secretType, { metadata, type: 'Opaque', data })
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
        await client.patch(secretType, keyFor(userName), { metadata: ownership, data }, { kind: 'merge' })
      }
    },

    async tie(userName, owner) {
      const body = { metadata: { ownerReferences: [owner] } }
      await ignoringNotFound(client.patch(secretType, keyFor(userName), body, { kind: 'merge' }))
    },

    async update(userName, decide) {
      for (let attempt = 1; ; attempt++) {
        const secret = await readSecret(userName)
        const record = secret && parse(secret)
        const next = record && decide(record)
        if (secret === undefined || next === undefined || next === record) return
        try {
          await client.replace(secretType, { ...secret, data: encode(next) })
          return
        } catch (error) {
          if (isNotFound(error)) return
          if (!isConflict(error) || attempt === ATTEMPTS) throw error
        }
      }
    },

    remove: (userName) => ignoringNotFound(client.delete(secretType, keyFor(userName))),
  }
}

function encode({ hash, attempts }: PasswordRecord): Record<string, string> {
  return {
    hash: Buffer.from(hash).toString('base64'),
    attempts: Buffer.from(JSON.stringify(attempts)).toString('base64'),
  }
}

function parse(secret: Secret): PasswordRecord | undefined {
  const hash = decode(secret, 'hash')
  if (hash === '') return undefined
  try {
    return { hash, attempts: { ...noAttempts, ...JSON.parse(decode(secret, 'attempts')) } }
  } catch {
    return { hash, attempts: noAttempts } // an operator who sets a hash by hand sets nothing else
  }
}

function decode(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
}
