/**
 * The runner: works off one phase of one run and ends. It is what a Job's pod runs, and what the controller starts as a child of its own
 * under `make dev`. Its exit code is 0 when its result was taken, whatever that result was.
 *
 * Environment: SKYCLUST_RUN_URL, SKYCLUST_RUN_TOKEN, SKYCLUST_WORK_DIR, SKYCLUST_TOFU, and optionally SKYCLUST_TOFU_PLUGIN_DIR,
 * SKYCLUST_TOFU_PLUGIN_CACHE, SKYCLUST_TOFU_CLI_CONFIG, SKYCLUST_TOFU_SANDBOX (`on`), SKYCLUST_TOFU_READABLE and SKYCLUST_TOFU_WRITABLE (what else a sandbox shows),
 * SKYCLUST_RUN_MARK (a file that shall say which process this is) and SKYCLUST_RUN_PATIENCE_MS (tests have less of it). Nothing else of it reaches tofu, but for PATH and proxy settings.
 */
import { randomUUID } from 'node:crypto'
import { access, constants, mkdir, realpath, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { markOf } from '../process-mark.ts'
import { mostProcesses } from '../protocol.ts'
import { isUserOfRun } from '../run-user.ts'
import { controllerLink, LinkRefused } from './controller-link.ts'
import { runPhase } from './run-phase.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import { tofuEnvironment } from './tofu-environment.ts'

/** A controller may be away for so long; then the result waits in the work folder. */
const patienceMs = Number(process.env.SKYCLUST_RUN_PATIENCE_MS ?? 15 * 60_000)
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
    .catch(() => undefined) // a full disk must not end the run
}

/** Where the program really is, links followed: a sandbox shows that one file. As it was named when there is none. */
async function placeOf(program: string): Promise<string> {
  const places = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  for (const place of places) {
    const path = resolve(place, program)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return realpath(path)
  }
  return program
}

/** With what tofu needs of this machine, to read. */
async function sandboxFor(tofu: string, environment: Readonly<Record<string, string>>): Promise<Sandbox> {
  const { SKYCLUST_TOFU_PLUGIN_DIR, SKYCLUST_TOFU_READABLE = '', SKYCLUST_TOFU_WRITABLE = '' } = process.env
  const { HOME = '', TMPDIR = '', SSL_CERT_FILE, SSL_CERT_DIR, TF_CLI_CONFIG_FILE, TF_PLUGIN_CACHE_DIR } = environment
  const named = [SSL_CERT_FILE, SSL_CERT_DIR, TF_CLI_CONFIG_FILE, TF_PLUGIN_CACHE_DIR, SKYCLUST_TOFU_PLUGIN_DIR]
  const readable = [tofu, join(workFolder, 'secrets'), ...named, ...SKYCLUST_TOFU_READABLE.split(delimiter)]
  const shared = SKYCLUST_TOFU_WRITABLE.split(delimiter).filter((path) => path !== '')
  return openSandbox({
    folder: join(workFolder, 'sandbox'),
    readable: readable.filter((path): path is string => path !== undefined && path !== ''),
    writable: [...shared, join(workFolder, 'config'), join(workFolder, 'plan'), HOME, TMPDIR],
    temporary: TMPDIR,
  })
}

const link = controllerLink({ url, token, patienceMs })
try {
  await mkdir(workFolder, { recursive: true, mode: 0o700 })
  const markFile = process.env.SKYCLUST_RUN_MARK
  if (markFile) await writeFile(markFile, JSON.stringify(await markOf(process.pid)), { mode: 0o600 })
  const environment = await tofuEnvironment({ url, workFolder, environment: process.env })
  const tofu = await placeOf(process.env.SKYCLUST_TOFU ?? 'tofu')
  const result = await runPhase({
    link,
    runnerId: randomUUID(),
    workFolder,
    tofu,
    sandbox: process.env.SKYCLUST_TOFU_SANDBOX === 'on' ? await sandboxFor(tofu, environment) : undefined,
    processes: isUserOfRun(process.getuid?.()) ? mostProcesses : undefined,
    pluginCache: environment.TF_PLUGIN_CACHE_DIR,
    environment,
    beatEveryMs,
    onProgram: (pid) => noteProgram(pid),
    now: () => new Date(),
    interrupted: interrupted.signal,
  })
  const text = JSON.stringify(result)
  // For the executor, should nobody answer. A disk that is full, on which the log is as well, keeps no result from being reported.
  await writeFile(join(workFolder, 'result.json'), text, { mode: 0o600 }).catch(() => undefined)
  await link.send('POST', 'result', text)
} catch (error) {
  const words = error instanceof LinkRefused ? `the controller refuses this runner: ${error.message}` : String(error)
  process.stderr.write(`${words}\n`)
  process.exitCode = 1
}
process.exit() // whatever still waits for something
