/**
 * `node tools/obtain.ts control-plane tofu moto`: has what is named ready in the cache and prints `name=path` lines on stdout;
 * progress goes to stderr. Names may also be single programs (`kubectl`, `terraform-provider-time`).
 */
import { homedir } from 'node:os'
import { controlPlanePrograms, type ProgramName, programs } from './releases.ts'
import { workshop } from './workshop.ts'

const controller = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => controller.abort(new Error(`stopped by ${signal}`)))
}

const wanted = process.argv.slice(2).flatMap((name) => (name === 'control-plane' ? controlPlanePrograms : [name]))
const unknown = wanted.filter((name) => name !== 'moto' && !Object.hasOwn(programs, name))
if (wanted.length === 0 || unknown.length > 0) {
  console.error(
    `obtain: ${unknown.join(', ') || 'nothing'} is none of control-plane, moto, ${Object.keys(programs).join(', ')}`,
  )
  process.exit(2)
}

const { obtain, moto } = workshop({ environment: process.env, home: homedir(), signal: controller.signal })
try {
  for (const name of wanted) {
    console.log(`${name}=${name === 'moto' ? await moto() : await obtain(name as ProgramName)}`)
  }
} catch (error) {
  console.error(`obtain: ${(error as Error).message}`)
  process.exitCode = 1
}
