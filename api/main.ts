/**
 * The facade as a process: reads the settings, finds the cluster, runs `run.ts` until it is told to stop.
 *
 * Exit codes: 0 after a stop by SIGTERM or SIGINT, 1 when it cannot start, 2 for a wrong setting.
 */
import { homedir } from 'node:os'
import { pino } from 'pino'
import { readSettings } from '../config/settings.ts'
import { loadCluster } from '../kube/cluster.ts'
import { apiSettings } from './config.ts'
import { runFacade } from './run.ts'

const read = readSettings(apiSettings, {
  program: 'api',
  about: 'The REST facade: /api/v1 over the Kubernetes API.',
  environment: process.env,
  commandLine: process.argv.slice(2),
})
if (read.outcome === 'help') {
  process.stdout.write(`${read.text}\n`)
  process.exit(0)
}
if (read.outcome === 'refused') {
  process.stderr.write(`${read.lines.map((line) => `api: ${line}`).join('\n')}\n`)
  process.exit(2)
}

const config = read.values
const log = pino({ name: 'api', level: config.logLevel })
const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info({ signal }, 'stopping')
    stop.abort(new Error(signal))
  })
}

try {
  const cluster = loadCluster({ environment: process.env, home: homedir() })
  await runFacade({ config, cluster, log, signal: stop.signal })
} catch (error) {
  if (!stop.signal.aborted) {
    process.stderr.write(`api: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
process.exit()
