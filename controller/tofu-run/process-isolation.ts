/**
 * Whether runs that are child processes get a sandbox: decided once, at the start, by making one. Where the machine refuses, that is said
 * in the log, or stops the start when the operator requires one; it is never found out in the middle of a run.
 */
import type { Logger } from 'pino'
import { sandboxRefusal } from './runner/sandbox.ts'

export async function hasSandbox(options: {
  /** `SKYCLUST_TOFU_SANDBOX` */
  readonly wanted: 'auto' | 'required' | 'off'
  /** Folder in which something may be written for a moment. */
  readonly folder: string
  readonly log: Pick<Logger, 'info' | 'warn'>
}): Promise<boolean> {
  const { wanted, folder, log } = options
  const refusal = wanted === 'off' ? 'SKYCLUST_TOFU_SANDBOX is off' : await sandboxRefusal(folder)
  if (refusal === undefined) {
    log.info('TofuRuns run in a sandbox: file() and provisioners see the folder of their own run')
    return true
  }
  if (wanted === 'required') {
    throw new Error(`SKYCLUST_TOFU_SANDBOX=required, but this machine has no sandbox for TofuRuns: ${refusal}`)
  }
  log.warn(
    { why: refusal },
    'TofuRuns are not isolated: a configuration may read whatever this user may read; SKYCLUST_TOFU_SANDBOX=required refuses to start so',
  )
  return false
}
