/**
 * Who has which e-mail address: one claim object an address, named by its digest, so that two replicas cannot give one
 * address to two users.
 *
 * A claim names the User it was made for, before that User exists. It counts for as long as a User of that name has that
 * address; and for {@link UNFINISHED_MS} after it was made, while a registration or a change is under way. A claim that
 * counts no more (a process died half-way, a User was deleted or changed with `kubectl`) is taken over by
 * compare-and-swap. Users made by `kubectl` have no claim and are respected all the same: their address is taken.
 */
import { userKind } from '../../crds/user.ts'
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/kube-error.ts'
import type { OwnerReference } from '../../kube/resource.ts'
import { ApiError } from '../http/api-error.ts'
import { comparableEmail, emailClaimName, installationLabels, SECRET_KIND_LABEL } from '../installation-objects.ts'
import { refused } from '../language/messages.ts'
import type { Store } from '../store/store.ts'
import { ignoringNotFound } from '../writes/as-caller.ts'

export interface EmailClaims {
  /** Throws `CONFLICT` when somebody has the address. What is claimed already by `userName` is theirs. */
  claim(email: string, userName: string): Promise<void>
  /** The User is there: the claim goes when it goes. */
  tie(email: string, owner: OwnerReference): Promise<void>
  /** Gives the address free, if it is still `userName`'s. */
  release(email: string, userName: string): Promise<void>
  /** The name of the User the address was claimed for, for a User who is not in the cache yet. */
  holder(email: string): Promise<string | undefined>
}

export interface EmailClaimsOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly store: Store
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Longer than any registration takes. */
const UNFINISHED_MS = 60_000

export function emailClaims({ client, namespace, store, now = Date.now }: EmailClaimsOptions): EmailClaims {
  const labels = { ...installationLabels, [SECRET_KIND_LABEL]: 'email-claim' }

  function keyFor(email: string) {
    return { namespace, name: emailClaimName(email) }
  }

  async function read(email: string): Promise<Secret | undefined> {
    try {
      return await client.get(secretType, keyFor(email))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async function counts(claim: Secret, email: string): Promise<boolean> {
    const { userName, claimedAt } = parse(claim)
    if (now() - claimedAt < UNFINISHED_MS && !wasFinished(claim)) return true
    return has(userName, email)
  }

  /** Asked of the cluster: the cache may not have heard yet that a User was deleted. */
  async function has(userName: string, email: string): Promise<boolean> {
    try {
      const user = await client.get(userKind, { name: userName })
      return user.metadata.deletionTimestamp === undefined && sameEmail(user.spec.email, email)
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  return {
    async claim(email, userName) {
      for (const { metadata } of store.usersByEmail(email)) {
        if (metadata.name !== userName && (await has(metadata.name, email))) throw taken()
      }
      const data = encode({ userName, claimedAt: now() })
      try {
        await client.create(secretType, { metadata: { ...keyFor(email), labels }, type: 'Opaque', data })
        return
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
      }
      const existing = await read(email)
      if (existing !== undefined && parse(existing).userName === userName) return
      if (existing !== undefined && (await counts(existing, email))) throw taken()
      await takeOver(existing, data)
    },

    async tie(email, owner) {
      const body = { metadata: { ownerReferences: [owner] } }
      await ignoringNotFound(client.patch(secretType, keyFor(email), body, { kind: 'merge' }))
    },

    async release(email, userName) {
      const claim = await read(email)
      if (claim === undefined || parse(claim).userName !== userName) return
      const { uid, resourceVersion } = claim.metadata
      try {
        await client.delete(secretType, keyFor(email), { preconditions: { uid, resourceVersion } })
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error // somebody else has taken it over
      }
    },

    async holder(email) {
      const claim = await read(email)
      return claim && parse(claim).userName
    },
  }

  /** Replaced rather than deleted and made: whoever is first by compare-and-swap has it. */
  async function takeOver(existing: Secret | undefined, data: Record<string, string>): Promise<void> {
    if (existing === undefined) throw taken() // it went this very moment: let the caller try again
    const metadata = { ...existing.metadata, labels, ownerReferences: undefined }
    try {
      await client.replace(secretType, { ...existing, metadata, data })
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) throw taken()
      throw error
    }
  }
}

/** A claim that was tied to its User is no longer one of a registration under way. */
function wasFinished(claim: Secret): boolean {
  return (claim.metadata.ownerReferences ?? []).length > 0
}

function sameEmail(one: string, other: string): boolean {
  return comparableEmail(one) === comparableEmail(other)
}

function encode(claim: { userName: string; claimedAt: number }): Record<string, string> {
  return { claim: Buffer.from(JSON.stringify(claim)).toString('base64') }
}

function parse(secret: Secret): { readonly userName: string; readonly claimedAt: number } {
  try {
    return JSON.parse(Buffer.from(secret.data?.claim ?? '', 'base64').toString())
  } catch {
    return { userName: '', claimedAt: 0 } // somebody wrote into it by hand: nobody's
  }
}

function taken(): ApiError {
  return new ApiError('CONFLICT', refused.emailTaken)
}
