/**
 * What a replica of the facade has to sign somebody in, with the rights of the facade's own account and nothing of HTTP.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accounts } from '../../../api/auth/accounts.ts'
import { emailClaims } from '../../../api/auth/email-claims.ts'
import { identities } from '../../../api/auth/oidc/identities.ts'
import { signIn } from '../../../api/auth/oidc/sign-in.ts'
import { signInAccounts } from '../../../api/auth/oidc/sign-in-accounts.ts'
import { passwords } from '../../../api/auth/password-hash.ts'
import { passwordStore } from '../../../api/auth/password-store.ts'
import { sessions } from '../../../api/auth/sessions.ts'
import { signingKeys } from '../../../api/auth/signing-keys.ts'
import { tokens } from '../../../api/auth/tokens.ts'
import { store } from '../../../api/store/store.ts'
import { type KubeClient, kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { processKubeconfig } from '../../cluster/process-account.ts'
import { INSTALLATION_NAMESPACE } from '../../cluster/shared-cluster.ts'

export interface Replica extends AsyncDisposable {
  readonly client: KubeClient
  readonly accounts: ReturnType<typeof accounts>
  readonly identities: ReturnType<typeof identities>
  readonly signIn: ReturnType<typeof signIn>
}

/** @param around wraps the client, for a test that says which call fails */
export async function startReplica(cluster: Cluster, around = (client: KubeClient) => client): Promise<Replica> {
  const namespace = INSTALLATION_NAMESPACE
  const directory = await mkdtemp(join(tmpdir(), 'replica-'))
  const kubeconfig = await processKubeconfig(cluster, { account: 'skyclust-api', namespace, directory })
  const connected = kubeClient({
    cluster: await loadCluster({ environment: { KUBECONFIG: kubeconfig } }),
    fieldManager: 'skyclust-api',
  })
  const client = around(connected)
  const stop = new AbortController()
  const objects = store({ client: connected, namespace, signal: stop.signal })
  await objects.synced(stop.signal)

  const keys = await signingKeys({ client, namespace, rotateAfterMs: 3_600_000, tokenLifeMs: 3_600_000 })
  const begun = sessions({ client, namespace, store: objects, tokens: tokens(keys), loginLifeMs: 3_600_000 })
  const people = accounts({
    client,
    store: objects,
    claims: emailClaims({ client, namespace, store: objects }),
    passwords: passwords(),
    passwordStore: passwordStore(client, namespace),
    sessions: begun,
  })
  const claims = identities({ client, namespace })
  return {
    client,
    accounts: people,
    identities: claims,
    signIn: signIn({ identities: claims, accounts: signInAccounts(people) }),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await objects.done
      await connected.close()
      await rm(directory, { recursive: true })
    },
  }
}
