/**
 * The runner: works off one phase of one run and ends. It is what a Job's pod runs, and what the controller starts as a child of its own
 * under `make dev`. Its exit code is 0 when its result was taken, whatever that result was.
 *
 * Environment: SKYCLUST_RUN_URL, SKYCLUST_RUN_TOKEN, SKYCLUST_WORK_DIR, SKYCLUST_TOFU, and optionally SKYCLUST_TOFU_PLUGIN_DIR,
 * SKYCLUST_TOFU_PLUGIN_CACHE, SKYCLUST_TOFU_CLI_CONFIG and SKYCLUST_RUN_MARK (a file that shall say which process this is). Nothing else of it reaches tofu, but for PATH and proxy settings.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { markOf } from '../process-mark.ts'
import { controllerLink, LinkRefused } from './controller-link.ts'
import { runPhase } from './run-phase.ts'
import { tofuEnvironment } from './tofu-environment.ts'

/** A controller may be away for so long; then the result waits in the work folder. */
const patienceMs = 15 * 60_000
const beatEveryMs = 1_000

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') throw new Error(`${name} must be set`)
  return value
}

const url = needed('SKYCLUST_RUN_URL')
const token = needed('SKYCLUST_RUN_TOKEN')
const workFolder = needed('SKYCLUST_WORK_DIR')
const interrupted = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => interrupted.abort())

/** For the executor, should this process be killed: tofu goes on for as long as it saves the state. */
function noteProgram(pid: number): void {
  markOf(pid)
    .then((mark) => writeFile(join(workFolder, 'child.json'), JSON.stringify(mark), { mode: 0o600 }))
    .catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
}

const link = controllerLink({ url, token, patienceMs })
try {
  await mkdir(workFolder, { recursive: true, mode: 0o700 })
  const markFile = process.env.SKYCLUST_RUN_MARK
  if (markFile) await writeFile(markFile, JSON.stringify(await markOf(process.pid)), { mode: 0o600 })
  const result = await runPhase({
    link,
    runnerId: randomUUID(),
    workFolder,
    tofu: process.env.SKYCLUST_TOFU ?? 'tofu',
    environment: await tofuEnvironment({ url, token, workFolder, environment: process.env }),
    beatEveryMs,
    onProgram: (pid) => noteProgram(pid),
    now: () => new Date(),
    interrupted: interrupted.signal,
  })
  const text = JSON.stringify(result)
  await writeFile(join(workFolder, 'result.json'), text, { mode: 0o600 })
  await link.send('POST', 'result', text)
} catch (error) {
  const words = error instanceof LinkRefused ? `the controller refuses this runner: ${error.message}` : String(error)
  process.stderr.write(`${words}\n`)
  process.exitCode = 1
}
