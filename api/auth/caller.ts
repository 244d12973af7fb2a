/** Who calls: the User behind a good token, and what the Session allows. */
import type { Session } from '../../crds/session.ts'
import type { User } from '../../crds/user.ts'

export interface Caller {
  readonly user: User
  readonly session: Session
  /** The User's uid: what REST calls their id. */
  readonly id: string
  /** The User object's name. */
  readonly name: string
  /** Administrator of the installation, with a token that is not held to one workspace. */
  readonly isAdmin: boolean
  /** Those of the identity provider's groups that the operator lets through. */
  readonly groups: readonly string[]
}

const noGroups: readonly string[] = []

export function callerOf(user: User, session: Session): Caller {
  const { uid: id, name } = user.metadata
  return {
    user,
    session,
    id,
    name,
    isAdmin: user.spec.admin && session.spec.workspace === undefined,
    groups: session.spec.groups ?? noGroups,
  }
}
