/**
 * `make dev`: a whole SkyClust on this machine, for as long as it runs. `node tools/dev.ts clean` forgets what it kept.
 * `SKYCLUST_DEV_DIR` names another folder than `.dev` for what it keeps, so that two may run from one checkout.
 */
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { whenAskedToStop } from './dev/asked-to-stop.ts'
import { run } from './dev/run.ts'
import { LockedError, lockNow } from './exclusive.ts'

const root = join(import.meta.dirname, '..')
const directory = resolve(root, process.env.SKYCLUST_DEV_DIR || '.dev')
const say = (line: string) => console.log(line)
process.stdout.on('error', () => undefined) // whoever read along has gone; that is no reason to stop

const asked = new AbortController()
whenAskedToStop((reason) => {
  if (asked.signal.aborted) process.exit(1) // asked twice: at once; the guards end what is left
  say(`\nstopping (${reason}); ask once more for at once`)
  asked.abort()
})

try {
  const release = await lockNow(`${directory}.lock`)
  try {
    if (process.argv[2] === 'clean') await rm(directory, { recursive: true, force: true })
    else await run({ root, directory, environment: process.env, signal: asked.signal, say })
  } finally {
    await release()
  }
  if (asked.signal.aborted) say('stopped')
} catch (error) {
  if (asked.signal.aborted) say('stopped')
  else {
    const words = error instanceof Error ? error.message : String(error)
    say(
      error instanceof LockedError
        ? `make dev runs here already, as process ${error.owner.pid}: stop that one first`
        : words,
    )
    process.exitCode = 1
  }
}
process.exit()
