/**
 * The first administrator, from the configuration: made once, if the installation has none. Two replicas that start at
 * once make one, because the claim on the address is one.
 */

import { ApiError } from '../http/api-error.ts'
import type { Store } from '../store/store.ts'
import type { Accounts } from './accounts.ts'

export type FirstAdministrator =
  | 'made'
  /** Somebody is administrator already. */
  | 'there'
  /** The address belongs to a user who is none; nobody is promoted by a variable. */
  | 'address-taken'

export async function firstAdministrator(
  account: { readonly email: string; readonly password: string },
  { store, accounts }: { readonly store: Store; readonly accounts: Accounts },
): Promise<FirstAdministrator> {
  if (hasAdministrator(store)) return 'there'
  try {
    await accounts.register({ ...account, name: 'Administrator', admin: true })
    return 'made'
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'CONFLICT') throw error
    return hasAdministrator(store) ? 'there' : 'address-taken'
  }
}

function hasAdministrator({ users }: Store): boolean {
  return users.list().some(({ spec, metadata }) => spec.admin && metadata.deletionTimestamp === undefined)
}
