/**
 * The accounts of the installation as a sign-in needs them: made under a name that was chosen before, so that a sign-in which
 * died half-way is finished by the next one.
 */
import { type User, userKind } from '../../../crds/user.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { isAlreadyExists, isNotFound } from '../../../kube/kube-error.ts'
import { ApiError } from '../../http/api-error.ts'
import type { Accounts } from '../accounts.ts'
import type { SignInAccounts } from './sign-in.ts'

export function signInAccounts(client: KubeClient, accounts: Accounts): SignInAccounts {
  /** Past the cache: a user made on another replica a moment ago is there. */
  async function find(name: string): Promise<User | undefined> {
    try {
      const user = await client.get(userKind, { name })
      return user.metadata.deletionTimestamp === undefined ? user : undefined
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  return {
    find,
    newName: accounts.newUserName,
    async create({ name, email, displayName }) {
      const made = await find(name)
      if (made) return made
      try {
        return await accounts.register({ email, name: displayName }, name)
      } catch (error) {
        if (error instanceof ApiError && error.code === 'CONFLICT') return undefined
        if (isAlreadyExists(error)) return find(name) // another replica finished it
        throw error
      }
    },
  }
}
