/**
 * How a phase of a run ended, written once: the first result counts, whoever wrote it. A phase that has one is never started.
 */
import { isAlreadyExists } from '../../../kube/kube-error.ts'
import { type PhaseResult, phaseResult } from '../protocol.ts'
import type { SecretObjects } from './secret-objects.ts'
import { type RunPhase, runPhases } from './stack-head.ts'

export interface StoredResult {
  readonly result: PhaseResult
  /** Version of the state when the phase ended; 0 before the first. */
  readonly stateVersion: number
}

export interface ResultStore {
  /** Gives the result that counts, which need not be this one. */
  record(run: string, phase: RunPhase, result: StoredResult, signal?: AbortSignal): Promise<StoredResult>
  find(run: string, phase: RunPhase, signal?: AbortSignal): Promise<StoredResult | undefined>
  remove(run: string, signal?: AbortSignal): Promise<void>
}

export function resultStore(secrets: SecretObjects): ResultStore {
  const nameOf = (run: string, phase: RunPhase) => `tofu-result-${run}-${phase}`

  async function find(run: string, phase: RunPhase, signal?: AbortSignal): Promise<StoredResult | undefined> {
    const data = (await secrets.get(nameOf(run, phase), signal))?.data.result
    if (data === undefined) return undefined
    const { result, stateVersion } = JSON.parse(String(data)) as StoredResult
    return { result: phaseResult.parse(result), stateVersion }
  }

  return {
    find,
    async record(run, phase, stored, signal) {
      const data = { result: Buffer.from(JSON.stringify(stored)) }
      try {
        await secrets.create({ name: nameOf(run, phase), data, immutable: true }, signal)
        return stored
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
        return (await find(run, phase, signal)) ?? stored
      }
    },
    async remove(run, signal) {
      for (const phase of runPhases) await secrets.remove(nameOf(run, phase), signal)
    },
  }
}
