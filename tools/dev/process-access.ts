/**
 * The kubeconfigs of the controller and the facade under `make dev`: a ServiceAccount token each, with the rights that the chart gives and no more.
 *
 * Guarantees: tokens are good for a day and are renewed every hour, in the file that the kubeconfig names, so that a laptop may sleep over night.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../control-plane.ts'
import { type ProcessAccount, processAccounts, tokenFor } from '../installation.ts'
import { writeKubeconfig, writePrivateFile } from '../kubeconfig.ts'
import type { Kubectl } from '../kubectl.ts'

export interface ProcessAccessOptions {
  readonly controlPlane: ControlPlane
  readonly kubectl: Kubectl
  readonly namespace: string
  /** Where the kubeconfigs and the tokens go. */
  readonly directory: string
}

const TOKEN_HOURS = 24
const RENEWAL_MS = 3_600_000
const RETRY_MS = 60_000

/** Answers with the path of each process's kubeconfig. */
export async function grantAccess(options: ProcessAccessOptions): Promise<Record<ProcessAccount, string>> {
  const { controlPlane, directory, namespace } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await renewTokens(options)
  const grant = async (account: ProcessAccount) => {
    const path = join(directory, `${account}.kubeconfig`)
    await writeKubeconfig(path, {
      server: controlPlane.server,
      certificateAuthority: controlPlane.authority.certificate,
      user: { tokenFile: tokenFile(directory, account) },
      namespace,
    })
    return path
  }
  return { 'skyclust-controller': await grant('skyclust-controller'), 'skyclust-api': await grant('skyclust-api') }
}

/** Renews until the signal; a failure is said and tried again after a minute. */
export async function keepTokensFresh(
  options: ProcessAccessOptions,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  let delayMs = RENEWAL_MS
  while (!signal.aborted) {
    await sleep(delayMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    delayMs = await renewTokens(options).then(
      () => RENEWAL_MS,
      (error: Error) => {
        say(`the processes' tokens could not be renewed, trying again in a minute: ${error.message}`)
        return RETRY_MS
      },
    )
  }
}

async function renewTokens({ kubectl, namespace, directory }: ProcessAccessOptions): Promise<void> {
  for (const account of processAccounts) {
    const token = await tokenFor(account, { kubectl, namespace }, TOKEN_HOURS)
    await writePrivateFile(tokenFile(directory, account), token)
  }
}

function tokenFile(directory: string, account: ProcessAccount): string {
  return join(directory, `${account}.token`)
}
