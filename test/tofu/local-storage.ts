/**
 * What a kubelet finds when it measures the disk that a pod uses: whether it is to be evicted, and in which words. Of volumes it knows
 * `emptyDir`, of limits `sizeLimit` and `ephemeral-storage`.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/kubelet/eviction/eviction_manager.go localStorageEviction
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Pod } from '../../kube/builtin-types.ts'

/** As the kubelet takes them from the pod; the API types here name no more than the product uses. */
interface Storage {
  readonly containers: readonly {
    readonly resources?: { readonly limits?: { readonly 'ephemeral-storage'?: string } }
    readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  }[]
  readonly volumes?: readonly { readonly name: string; readonly emptyDir?: { readonly sizeLimit?: string } }[]
}

export interface EmptyDir {
  readonly name: string
  /** In the container. */
  readonly mountPath: string
  /** On this machine. */
  readonly path: string
  readonly sizeLimit: string | undefined
}

/** @param folder of the pod */
export function emptyDirs({ spec }: Pod, folder: string): EmptyDir[] {
  const { containers, volumes = [] } = spec as unknown as Storage
  return (containers[0]?.volumeMounts ?? []).flatMap(({ name, mountPath }) => {
    const volume = volumes.find((one) => one.name === name)?.emptyDir
    return volume === undefined ? [] : [{ name, mountPath, path: join(folder, name), sizeLimit: volume.sizeLimit }]
  })
}

/** Why the pod is to be evicted. */
export async function storageEviction(pod: Pod, folder: string): Promise<string | undefined> {
  let all = 0
  for (const { name, path, sizeLimit } of emptyDirs(pod, folder)) {
    const used = await usedBytes(path)
    if (sizeLimit !== undefined && used > bytesOf(sizeLimit)) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${sizeLimit}". `
    }
    all += used
  }
  const limit = (pod.spec as unknown as Storage).containers[0]?.resources?.limits?.['ephemeral-storage']
  if (limit === undefined || all <= bytesOf(limit)) return undefined
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${limit}. `
}

/** What `du` can read of it: files come and go meanwhile. */
async function usedBytes(path: string): Promise<number> {
  const { stdout } = await promisify(execFile)('du', ['-sk', path]).catch((error: { stdout: string }) => error)
  return Number(stdout.split('\t')[0]) * 1024
}

function bytesOf(quantity: string): number {
  const units: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }
  const [, count, unit = ''] = /^(\d+)([KMG]i)?$/.exec(quantity) ?? []
  if (count === undefined) throw new Error(`this kubelet does not know the quantity ${quantity}`)
  return Number(count) * (units[unit] ?? 1)
}
