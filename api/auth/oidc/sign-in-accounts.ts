/**
 * The accounts of the installation as a sign-in needs them: made under a name that was chosen before, so that a sign-in which
 * died half-way is finished by the next one.
 */
import { isAlreadyExists } from '../../../kube/kube-error.ts'
import { ApiError } from '../../http/api-error.ts'
import type { Accounts } from '../accounts.ts'
import type { SignInAccounts } from './sign-in.ts'

export function signInAccounts(accounts: Accounts): SignInAccounts {
  return {
    find: accounts.named,
    newName: accounts.newUserName,
    async create({ name, email, displayName }) {
      const made = await accounts.named(name)
      if (made) return made
      try {
        return await accounts.register({ email, name: displayName }, name)
      } catch (error) {
        if (error instanceof ApiError && error.code === 'CONFLICT') return undefined
        if (isAlreadyExists(error)) return accounts.named(name) // another replica finished it
        throw error
      }
    },
  }
}
