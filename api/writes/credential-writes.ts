/**
 * A Credential and its Secret, written as the caller.
 *
 * The order of the writes: the Credential first, then the Secret that belongs to it (owner reference), so that no crash
 * leaves a key behind which nobody knows of; a Credential without its Secret is visible, not ready, and can be deleted.
 * A rotation makes another Secret, points the Credential at it by compare-and-swap, and deletes the old one: nobody may
 * change a Secret, because that would be a way to read it.
 */
import { type Credential, credentialKind } from '../../crds/credential.ts'
import { apiVersion, labels, managedBy } from '../../crds/names.ts'
import { secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isNotFound, isUnavailable } from '../../kube/kube-error.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import { type CreatedOnce, createOnce, type IdempotencyMark, markedMetadata, markedName } from '../idempotency.ts'
import { generatedName, randomSuffix } from '../names.ts'
import type { SplitKeys } from '../shapes/credential-keys.ts'
import { ignoringNotFound } from './as-caller.ts'
import { change } from './change.ts'

export interface NewCredential extends SplitKeys {
  readonly namespace: string
  readonly provider: string
  readonly mark?: IdempotencyMark | undefined
  /** What was made under that mark, wherever; as far as is known here. */
  readonly earlier?: Credential | undefined
}

/** With a mark, a repetition finishes what an earlier request may have left without its Secret. */
export async function makeCredential(client: KubeClient, wanted: NewCredential): Promise<CreatedOnce<Credential>> {
  const { namespace, provider, secret, spec, mark, earlier } = wanted
  const name = markedName(mark, provider, () => generatedName(provider, provider))
  const secretName = nextSecretName(name)
  const made = await createOnce({
    mark,
    find: async () => earlier ?? findCredential(client, { namespace, name }),
    create: () =>
      client.create(credentialKind, {
        metadata: { namespace, name, ...markedMetadata(mark) },
        spec: { ...spec, provider: provider as Credential['spec']['provider'], secretRef: { name: secretName } },
      }),
  })
  const credential = made.object
  try {
    await makeSecret(client, credential, credential.spec.secretRef?.name ?? secretName, secret)
    return made
  } catch (error) {
    if (mark && isAlreadyExists(error)) return made
    await client.delete(credentialKind, keyOf(credential)).catch(() => undefined) // takes along a Secret that was made after all
    throw error
  }
}

/** One that is being deleted is nobody's answer. */
async function findCredential(client: KubeClient, key: ObjectKey): Promise<Credential | undefined> {
  try {
    const credential = await client.get(credentialKind, key)
    return credential.metadata.deletionTimestamp === undefined ? credential : undefined
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

/**
 * @param check may throw; it sees the Credential as it is right before it is changed
 * @returns the Credential as it is afterwards
 */
export async function replaceKeys(
  client: KubeClient,
  credential: Credential,
  keys: SplitKeys,
  check: (current: Credential) => void,
): Promise<Credential> {
  const { namespace = '' } = credential.metadata
  const name = nextSecretName(credential.metadata.name)
  await makeSecret(client, credential, name, keys.secret)
  let previous: string | undefined
  try {
    const changed = await change(client, credentialKind, credential, (current) => {
      check(current)
      previous = current.spec.secretRef?.name
      return { spec: { ...keys.spec, secretRef: { name } }, fields: [['spec', 'secretRef']] }
    })
    if (previous !== undefined) await ignoringNotFound(client.delete(secretType, { namespace, name: previous }))
    return changed
  } catch (error) {
    // Where the outcome is not known, the Credential may name the new one by now: it stays, and goes with the Credential.
    if (!isUnavailable(error)) await client.delete(secretType, { namespace, name }).catch(() => undefined)
    throw error
  }
}

function nextSecretName(credentialName: string): string {
  return `${credentialName.slice(0, 50)}-${randomSuffix(6)}`
}

async function makeSecret(
  client: KubeClient,
  { metadata }: Credential,
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const { namespace, name: credentialName, uid } = metadata
  await client.create(secretType, {
    metadata: {
      namespace,
      name,
      labels: { [labels.managedBy]: managedBy },
      ownerReferences: [{ apiVersion, kind: 'Credential', name: credentialName, uid }],
    },
    type: 'Opaque',
    data: Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  })
}
