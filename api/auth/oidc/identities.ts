/**
 * Which user an external identity belongs to: one claim object an identity, named by a digest of issuer and subject.
 *
 * Guarantees: an identity has one user at most, whatever runs at the same time, because two objects cannot have one name;
 * a claim goes with its user (an owner reference, and what is still there counts no more). An e-mail address plays no part.
 */
import { createHash } from 'node:crypto'
import { apiVersion } from '../../../crds/names.ts'
import { type Secret, secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/kube-error.ts'
import { installationLabels } from '../../installation-objects.ts'

export interface IdentityClaim {
  readonly userName: string
  /** Absent while the user is being made. */
  readonly userUid: string | undefined
  readonly object: Secret
}

export interface ExternalIdentity {
  readonly issuer: string
  readonly subject: string
}

export interface ClaimedUser {
  readonly name: string
  readonly uid: string
}

export interface Identities {
  find(identity: ExternalIdentity): Promise<IdentityClaim | undefined>
  /** Claims the identity for a user that is there, or for the name of one that is about to be made. `undefined`: taken. */
  claim(
    identity: ExternalIdentity,
    user: { readonly name: string; readonly uid?: string },
  ): Promise<IdentityClaim | undefined>
  /** The user of a claim was made. */
  complete(claim: IdentityClaim, user: ClaimedUser): Promise<void>
  /** Gives a claim up, if it is still this one. */
  release(claim: IdentityClaim): Promise<void>
}

export interface IdentitiesOptions {
  readonly client: KubeClient
  readonly namespace: string
}

export function identities({ client, namespace }: IdentitiesOptions): Identities {
  function ownership({ name, uid }: { readonly name: string; readonly uid?: string }) {
    return uid === undefined ? {} : { ownerReferences: [{ apiVersion, kind: 'User', name, uid }] }
  }

  return {
    async find(identity) {
      try {
        return read(await client.get(secretType, { namespace, name: claimName(identity) }))
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },

    async claim(identity, user) {
      const metadata = { namespace, name: claimName(identity), labels: installationLabels, ...ownership(user) }
      const data = encoded({ ...identity, userName: user.name, ...(user.uid !== undefined && { userUid: user.uid }) })
      try {
        return read(await client.create(secretType, { metadata, type: 'Opaque', data }))
      } catch (error) {
        if (isAlreadyExists(error)) return undefined
        throw error
      }
    },

    async complete({ object }, user) {
      const { resourceVersion } = object.metadata
      const patch = { metadata: { resourceVersion, ...ownership(user) }, data: encoded({ userUid: user.uid }) }
      try {
        await client.patch(secretType, object.metadata, patch, { kind: 'merge' })
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error // another replica completed the same claim
      }
    },

    async release({ object }) {
      try {
        const preconditions = { uid: object.metadata.uid, resourceVersion: object.metadata.resourceVersion }
        await client.delete(secretType, object.metadata, { preconditions })
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
    },
  }
}

/** A digest, because issuers and subjects have characters that no name may have. */
function claimName({ issuer, subject }: ExternalIdentity): string {
  return `oidc-${createHash('sha256').update(`${issuer}\n${subject}`).digest('hex').slice(0, 48)}`
}

function encoded(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
}

function read(object: Secret): IdentityClaim {
  const field = (key: string) => Buffer.from(object.data?.[key] ?? '', 'base64').toString()
  return { userName: field('userName'), userUid: field('userUid') || undefined, object }
}
