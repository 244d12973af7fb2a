/** What is in the etcd of a test's own cluster, past the API server. */
import { execFile } from 'node:child_process'
import { rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { workshop } from '../../tools/workshop.ts'
import type { TestCluster } from './cluster.ts'

const ENDPOINT = 'unix://etcd:2379' // from the cluster's folder (tools/control-plane.ts)
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024

/** Runs etcdctl against it and answers with its stdout. Paths are from the cluster's folder. */
export async function etcdctl(
  { directory }: Pick<TestCluster, 'directory'>,
  ...args: readonly string[]
): Promise<string> {
  const program = await workshop({ environment: process.env, home: homedir() }).obtain('etcdctl')
  const options = { cwd: directory, maxBuffer: MAX_OUTPUT_BYTES }
  return (await promisify(execFile)(program, [`--endpoints=${ENDPOINT}`, ...args], options)).stdout
}

export interface StoredObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string }
}

/** The custom resources of a group, each as it is written down. */
export async function storedObjects(cluster: TestCluster, group: string): Promise<readonly StoredObject[]> {
  const answer = await etcdctl(cluster, 'get', '--prefix', `/registry/${group}/`, '--write-out=json')
  const { kvs = [] } = JSON.parse(answer) as { kvs?: readonly { readonly value: string }[] }
  return kvs.map(({ value }) => JSON.parse(Buffer.from(value, 'base64').toString()))
}

/**
 * Runs commands of etcdctl and etcdutl as somebody types them, in the cluster's folder.
 */
export async function etcdShell({ directory }: Pick<TestCluster, 'directory'>, command: string): Promise<void> {
  const { obtain } = workshop({ environment: process.env, home: homedir() })
  const folders = [await obtain('etcdctl'), await obtain('etcdutl')].map((program) => dirname(program))
  const env = { PATH: [...folders, process.env.PATH].join(delimiter), ETCDCTL_ENDPOINTS: ENDPOINT }
  await promisify(execFile)('bash', ['--norc', '-e', '-c', command], { cwd: directory, env })
}

/** Puts a restored data directory, of that name in the cluster's folder, in the place of what etcd has, and starts all anew. */
export async function swapData({ etcd, apiserver, directory }: TestCluster, restored: string): Promise<void> {
  await apiserver.stop(0)
  await etcd.stop(0)
  await rm(join(directory, 'etcd-data'), { recursive: true })
  await rename(join(directory, restored), join(directory, 'etcd-data'))
  await etcd.start()
  await apiserver.start()
}
