/** Helm as a function, and what the chart renders as objects. */
import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseAllDocuments, stringify } from 'yaml'
import { workshop } from '../../tools/workshop.ts'

export const root = join(import.meta.dirname, '../..')
export const chart = join(root, 'charts/skyclust')

/** Runs helm with `values` as its values file and answers with its stdout. Throws with its stderr. */
export type Helm = (args: readonly string[], values?: object) => Promise<string>

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  readonly [field: string]: any
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** Its caches are in `directory`; without a kubeconfig it can only render. */
export async function helmFor(directory: string, kubeconfig?: string): Promise<Helm> {
  const program = await workshop({ environment: process.env, home: homedir() }).obtain('helm')
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    ...(kubeconfig === undefined ? {} : { KUBECONFIG: kubeconfig }),
  }
  return async (args, values = {}) => {
    const withValues = ['install', 'upgrade', 'template', 'lint'].includes(args[0] ?? '') ? ['--values', '-'] : []
    const running = promisify(execFile)(program, [...args, ...withValues], { env, maxBuffer: MAX_OUTPUT_BYTES })
    running.child.stdin?.on('error', () => undefined) // its exit code says what was wrong
    running.child.stdin?.end(stringify(values))
    return (await running).stdout
  }
}

/** What `helm template` makes of these values, for a cluster of that version. */
export async function render(helm: Helm, values: object = {}, kubeVersion = '1.36.0'): Promise<readonly Manifest[]> {
  const args = ['template', 'skyclust', chart, '--namespace', 'skyclust-system', '--kube-version', kubeVersion]
  return documentsOf(await helm(args, values))
}

export function documentsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((document) => document !== null)
}

/** The one object of that kind and name. */
export function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found.length !== 1) throw new Error(`there are ${found.length} of ${kind} ${name}, not one`)
  return found[0] as Manifest
}

/** `Kind/name`, sorted. */
export function listing(manifests: readonly Manifest[]): readonly string[] {
  return manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort()
}
