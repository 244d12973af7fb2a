/**
 * The few things the state store asks of the Kubernetes API: Secrets of one namespace, by name, with
 * compare-and-swap. It is this small so that a test can put a failure before or after any single call.
 *
 * Bytes go in and out as they are; base64 is the transport's affair.
 */

import { type Secret, secretType } from '../../../kube/builtin-types.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { isNotFound } from '../../../kube/kube-error.ts'

export interface StoredSecret {
  readonly name: string
  readonly resourceVersion: string
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly data: Readonly<Record<string, Buffer>>
}

export interface SecretDraft {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly data: Readonly<Record<string, Uint8Array>>
  /** The apiserver itself then refuses every change of the data. */
  readonly immutable?: boolean
}

export interface SecretObjects {
  get(name: string, signal?: AbortSignal): Promise<StoredSecret | undefined>
  /** Throws a conflict when it exists (`isAlreadyExists`). */
  create(draft: SecretDraft, signal?: AbortSignal): Promise<StoredSecret>
  /** Throws a conflict when it is no longer at `resourceVersion` (`isConflict`). */
  replace(draft: SecretDraft & { readonly resourceVersion: string }, signal?: AbortSignal): Promise<StoredSecret>
  /** Removing what is not there is no error. */
  remove(name: string, signal?: AbortSignal): Promise<void>
  /** Names and times only: the data of thirty megabytes of chunks must not be read to count them. */
  names(
    labelSelector: string,
    signal?: AbortSignal,
  ): Promise<readonly { readonly name: string; readonly createdAt: string }[]>
}

export function secretObjects(client: KubeClient, namespace: string): SecretObjects {
  const key = (name: string) => ({ namespace, name })
  return {
    async get(name, signal) {
      try {
        return fromKubernetes(await client.get(secretType, key(name), withSignal(signal)))
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    },
    async create(draft, signal) {
      return fromKubernetes(await client.create(secretType, toKubernetes(draft, namespace), withSignal(signal)))
    },
    async replace(draft, signal) {
      const object = toKubernetes(draft, namespace)
      const metadata = { ...object.metadata, resourceVersion: draft.resourceVersion }
      return fromKubernetes(
        await client.replace(secretType, { ...object, metadata } as unknown as Secret, withSignal(signal)),
      )
    },
    async remove(name, signal) {
      try {
        await client.delete(secretType, key(name), withSignal(signal))
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    },
    async names(labelSelector, signal) {
      const query = new URLSearchParams({ labelSelector })
      const answer = await client.raw(`/api/v1/namespaces/${namespace}/secrets?${query}`, {
        method: 'GET',
        headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
        ...withSignal(signal),
      })
      if (answer.status !== 200) throw new Error(`listing Secrets of ${namespace} was answered ${answer.status}`)
      const list = JSON.parse(String(answer.body)) as {
        /** null, not [], when there are none. */
        items: { metadata: { name: string; creationTimestamp: string } }[] | null
      }
      return (list.items ?? []).map(({ metadata }) => ({ name: metadata.name, createdAt: metadata.creationTimestamp }))
    },
  }
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

function fromKubernetes(secret: Secret): StoredSecret {
  const { name, resourceVersion, creationTimestamp, labels = {} } = secret.metadata
  const data = Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([field, value]) => [field, Buffer.from(value, 'base64')]),
  )
  return { name, resourceVersion, createdAt: creationTimestamp, labels, data }
}

function toKubernetes(draft: SecretDraft, namespace: string) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      namespace,
      name: draft.name,
      labels: { 'app.kubernetes.io/managed-by': 'skyclust', ...draft.labels },
      ...(draft.annotations === undefined ? {} : { annotations: { ...draft.annotations } }),
    },
    type: 'Opaque',
    ...(draft.immutable ? { immutable: true } : {}),
    data: Object.fromEntries(
      Object.entries(draft.data).map(([field, bytes]) => [field, Buffer.from(bytes).toString('base64')]),
    ),
  }
}
