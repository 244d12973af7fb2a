/**
 * Knows the processes of a `make dev` that was killed: their guards need a moment to end them, and until then they hold ports and files.
 *
 * Guarantees: once `waitForLeftOver` has resolved, none of them runs. A pid that belongs to somebody else by now is left alone.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOf } from '../exclusive.ts'
import { writePrivateFile } from '../kubeconfig.ts'

interface KnownProcess {
  readonly pid: number
  readonly startedAt: string
}

const PATIENCE_MS = 5_000
const POLL_MS = 100

export async function rememberProcesses(file: string, pids: readonly number[]): Promise<void> {
  const known: KnownProcess[] = await Promise.all(pids.map(async (pid) => ({ pid, startedAt: await startOf(pid) })))
  await writePrivateFile(file, JSON.stringify(known))
}

export async function waitForLeftOver(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '[]')
  const known = JSON.parse(text) as KnownProcess[]
  const patientUntil = performance.now() + PATIENCE_MS
  for (;;) {
    const left: KnownProcess[] = []
    for (const one of known) if (one.startedAt !== '' && (await startOf(one.pid)) === one.startedAt) left.push(one)
    if (left.length === 0) return
    if (performance.now() > patientUntil) for (const { pid } of left) killGroup(pid)
    await sleep(POLL_MS)
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has just ended
  }
}
