/** The operator's program for states of stacks, as docs/backup.md has it. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../chart/helm.ts'
import type { Cluster } from '../cluster/cluster.ts'

export interface StackOf {
  readonly cluster: Pick<Cluster, 'kubeconfig'>
  readonly namespace: string
  readonly stack: string
}

/** Answers with what it prints: `stateByHand(stack, 'export')`. Throws with its stderr. */
export async function stateByHand({ cluster, namespace, stack }: StackOf, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, KUBECONFIG: cluster.kubeconfig }
  const program = join(root, 'controller/tofu-run/state/main.ts')
  const where = ['--namespace', namespace, '--stack', stack]
  return (await promisify(execFile)(process.execPath, [program, ...args, ...where], { env })).stdout
}
