/** Everything that the OIDC routes need, made of the configuration and the cluster. Asks no provider anything yet. */
import type { KubeClient } from '../../../kube/client.ts'
import type { Accounts } from '../accounts.ts'
import { identities } from './identities.ts'
import { type OidcProvider, oidcProvider } from './provider.ts'
import type { OidcSettings } from './settings.ts'
import { type SignIn, signIn } from './sign-in.ts'
import { signInAccounts } from './sign-in-accounts.ts'
import { type SingleUse, singleUse } from './single-use.ts'
import { type States, states } from './state.ts'
import { stateKey } from './state-key.ts'

export interface OidcDesk {
  /** By name, in lower case. */
  readonly providers: ReadonlyMap<string, OidcProvider>
  readonly states: States
  readonly singleUse: SingleUse
  readonly signIn: SignIn
}

export interface OidcDeskOptions {
  readonly client: KubeClient
  /** Of the installation. */
  readonly namespace: string
  readonly accounts: Accounts
  readonly settings: Readonly<Record<string, OidcSettings>>
}

export function oidcDesk({ client, namespace, accounts, settings }: OidcDeskOptions): OidcDesk {
  return {
    providers: new Map(Object.entries(settings).map(([name, own]) => [name, oidcProvider(name, own)])),
    states: states({ key: stateKey({ client, namespace }) }),
    singleUse: singleUse({ client, namespace }),
    signIn: signIn({
      identities: identities({ client, namespace }),
      accounts: signInAccounts(accounts),
    }),
  }
}
