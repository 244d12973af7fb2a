/**
 * The controller of Users: says whether one may log in, and binds the rights of an administrator of the installation.
 *
 * The status is written last, so that the binding is written again unless it was. It is written when something about the
 * User is another thing, and at no other time: whoever takes it away with kubectl is not fought. Deleting a User needs
 * nothing: what belongs to it is collected as garbage.
 */
import { type User, userKind } from '../../crds/user.ts'
import { getCondition } from '../../kube/conditions.ts'
import type { Result } from '../../kube/controller.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import type { KindController } from '../kind-controller.ts'
import type { KindDependencies } from '../kinds.ts'
import { isPaused } from '../pause.ts'
import { isDeleting, type Readiness, reporter } from '../report.ts'
import { comparableEmail, ownerOfEmail } from './email-owner.ts'
import { setPlatformAdmin } from './platform-admin.ts'

export type UserDependencies = Pick<KindDependencies, 'client' | 'events'> & {
  /** With the index `email`: the address in lower case. */
  readonly caches: Pick<KindDependencies['caches'], 'users'>
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const CONCURRENCY = 4

export function userController({
  client,
  events,
  caches: { users },
  now = Date.now,
}: UserDependencies): KindController {
  const report = reporter({ client, events, type: userKind, now })

  async function reconcile(key: ObjectKey, signal: AbortSignal): Promise<Result> {
    const user = users.get(key)
    if (!user || isDeleting(user)) return undefined
    if (isPaused(user)) return void (await report.sayPaused(user, signal))
    const readiness = readinessOf(user)
    if (isNew(user, readiness)) {
      await setPlatformAdmin(user, user.spec.admin && readiness.reason === 'Active', client, signal)
    }
    await report.say(user, { readiness }, signal)
    return undefined
  }

  function readinessOf(user: User): Readiness {
    const owner = ownerOfEmail(users.index('email', comparableEmail(user)))
    if (owner && owner.metadata.uid !== user.metadata.uid) {
      const message = `spec.email: ${user.spec.email} belongs to the older User ${owner.metadata.name}; choose another address.`
      return { phase: 'stalled', reason: 'EmailTaken', message }
    }
    if (user.spec.disabled)
      return { phase: 'ready', reason: 'Disabled', message: 'Shut out until spec.disabled is false.' }
    return {
      phase: 'ready',
      reason: 'Active',
      message: user.spec.admin ? 'An administrator of the installation.' : 'May log in.',
    }
  }

  return {
    name: 'user',
    concurrency: CONCURRENCY,
    reconcile,
    all: () => users.list().map(keyOf),

    follow(wake) {
      users.onChange((change) => {
        wake(keyOf(change.object))
        const previous = change.type === 'apply' ? change.previous : undefined
        for (const user of previous ? [previous, change.object] : [change.object]) {
          for (const claimant of users.index('email', comparableEmail(user))) wake(keyOf(claimant))
        }
      })
    },
  }
}

/** It is, its spec is, or what follows from it. */
function isNew({ metadata, status }: User, { reason }: Readiness): boolean {
  return (
    metadata.generation !== status?.observedGeneration || getCondition(status?.conditions, 'Ready')?.reason !== reason
  )
}
