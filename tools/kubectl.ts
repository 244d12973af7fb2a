/**
 * kubectl as a function.
 */
import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

/** Runs kubectl with `input` on its stdin and answers with its stdout. Throws with its stderr. */
export type Kubectl = (input: string, ...args: readonly string[]) => Promise<string>

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** `program` is its path. Its discovery cache goes beside the kubeconfig, so that it is never another cluster's. */
export function kubectlFor(program: string, kubeconfig: string): Kubectl {
  const env = { PATH: process.env.PATH, HOME: dirname(kubeconfig), KUBECONFIG: kubeconfig }
  return async (input, ...args) => {
    const running = promisify(execFile)(program, args, { env, maxBuffer: MAX_OUTPUT_BYTES })
    running.child.stdin?.on('error', () => undefined) // it did not want its input; its exit code says whether that was well
    running.child.stdin?.end(input)
    return (await running).stdout
  }
}
