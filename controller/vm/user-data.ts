/**
 * User data from a Secret. To name a Secret here is to ask for it to be read with the controller's rights and put where
 * whoever is on the instance reads it. So a Secret serves only if it was made for this: it is `Opaque`, has the
 * key `user-data`, and no Credential uses it.
 */
import type { Credential } from '../../crds/credential.ts'
import { finalizers, labels } from '../../crds/names.ts'
import type { VM } from '../../crds/vm.ts'
import { type Secret, secretType } from '../../kube/builtin-types.ts'
import type { Cache } from '../../kube/cache.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import type { UserData } from './situation.ts'

export const userDataKey = 'user-data'

export interface UserDataSources {
  readonly client: KubeClient
  /** With the index `secret`: `namespace/name` of the Secret that each uses. */
  readonly credentials: Pick<Cache<Credential>, 'index'>
}

export async function readUserData(sources: UserDataSources, vm: VM, signal: AbortSignal): Promise<UserData> {
  const namespace = vm.metadata.namespace ?? ''
  const name = vm.spec.userDataSecretRef?.name
  if (name === undefined) return { kind: 'read', text: undefined }
  try {
    const secret = await sources.client.get(secretType, { namespace, name }, { signal })
    return textOf(secret, sources.credentials.index('secret', `${namespace}/${name}`).length > 0)
  } catch (error) {
    if (!isNotFound(error)) throw error
    return missing(`There is no Secret ${name} in namespace ${namespace}: make it, with the key ${userDataKey}.`)
  }
}

function textOf(secret: Secret, isNamedByCredential: boolean): UserData {
  const { name, labels: marks = {}, finalizers: holders = [] } = secret.metadata
  const isCredentials =
    isNamedByCredential || labels.credentialSecret in marks || holders.includes(finalizers.credential)
  if (isCredentials)
    return refused(`The Secret ${name} belongs to a Credential and serves nothing else: make another one.`)
  if (secret.type !== undefined && secret.type !== '' && secret.type !== 'Opaque') {
    return refused(`The Secret ${name} is of type ${secret.type}; user data comes from one of type Opaque.`)
  }
  const encoded = secret.data?.[userDataKey]
  if (encoded === undefined) return missing(`The Secret ${name} has no key ${userDataKey}: make one that has.`)
  return { kind: 'read', text: Buffer.from(encoded, 'base64').toString('utf8') }
}

function missing(message: string): UserData {
  return { kind: 'missing', message }
}

function refused(message: string): UserData {
  return { kind: 'refused', message }
}
