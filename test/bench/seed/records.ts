/**
 * Fills a cluster with custom objects in seconds: one is made through the API server, and its record in etcd is copied under other names,
 * with uids of their own. What the API server then serves is what it would had it been asked for each of them, a hundred times slower.
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { type KubeObject, keyOf, type ObjectKey, type ResourceType } from '../../../kube/resource.ts'
import type { TestCluster } from '../../cluster/cluster.ts'
import { inParallel } from './in-parallel.ts'

/** What a copy has instead of what its model has, field by field. */
export interface Difference {
  readonly metadata: ObjectKey
  readonly spec?: object | undefined
  readonly status?: object | undefined
}

/**
 * Makes `count` copies of `model`, of which number `index` differs as `differenceOf` says.
 *
 * @returns their uids, by index
 */
export async function copyRecord<T extends KubeObject>(
  cluster: TestCluster,
  type: ResourceType<T>,
  { model, count, differenceOf }: { model: T; count: number; differenceOf: (index: number) => Difference },
): Promise<readonly string[]> {
  const etcd = new Agent({ connect: { socketPath: join(cluster.directory, 'etcd:2379') } })
  const ask = async (path: string, body: object) => {
    const answer = await request(`http://etcd/v3/kv/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      dispatcher: etcd,
    })
    return (await answer.body.json()) as { kvs?: { value: string }[] }
  }
  const { kvs } = await ask('range', { key: recordKey(type, keyOf(model)) })
  const stored = JSON.parse(Buffer.from(kvs?.[0]?.value ?? '', 'base64').toString('utf8'))
  const uids = Array.from({ length: count }, () => randomUUID())
  await inParallel(count, async (index) => {
    const { metadata, spec, status } = differenceOf(index)
    const copy = {
      ...stored,
      metadata: { ...stored.metadata, ...metadata, uid: uids[index] },
      spec: { ...stored.spec, ...spec },
      status: { ...stored.status, ...status },
    }
    await ask('put', { key: recordKey(type, metadata), value: base64(JSON.stringify(copy)) })
  })
  await etcd.close()
  return uids
}

function recordKey({ group, plural }: ResourceType, { namespace, name }: ObjectKey): string {
  return base64(['/registry', group, plural, namespace, name].filter((part) => part !== undefined).join('/'))
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
