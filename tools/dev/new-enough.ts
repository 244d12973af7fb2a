/** Whether a kube-apiserver that somebody brings along (`KUBEBUILDER_ASSETS`) is one with which `make dev` can work. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { isAtLeast, KUBERNETES_VERSION, OLDEST_KUBERNETES } from '../versions.ts'

/** Throws one line that names its version and what to do. `program` is its path. */
export async function requireNewEnough(program: string): Promise<void> {
  const { stdout } = await promisify(execFile)(program, ['--version'])
  const version = /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? ''
  if (isAtLeast(version, OLDEST_KUBERNETES)) return
  throw new Error(
    `${program} is ${version ? `Kubernetes ${version}` : `no kube-apiserver (${stdout.trim()})`}, and SkyClust needs ${OLDEST_KUBERNETES} or newer: ` +
      `unset KUBEBUILDER_ASSETS to get ${KUBERNETES_VERSION}, or name a folder with a newer one`,
  )
}
