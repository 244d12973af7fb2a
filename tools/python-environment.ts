/**
 * A Python virtual environment in the cache, with exactly the packages of a pinned requirements file.
 *
 * Guarantees: keyed by the content of the requirements and the Python's version, made once for all checkouts, and never seen half: the
 * file that says "complete" is written last.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandError, type RunCommand } from './command.ts'
import { exclusively } from './exclusive.ts'
import type { Progress } from './progress.ts'

export interface PythonEnvironmentOptions {
  /** What it is for, as the progress lines and the folder in the cache name it. */
  readonly name: string
  /** The lines of a requirements.txt. */
  readonly requirements: string
  readonly cacheDirectory: string
  readonly progress: Progress
  readonly run: RunCommand
  readonly signal?: AbortSignal
}

/** Answers with the environment's folder of programs (`…/bin`). */
export async function pythonEnvironment(options: PythonEnvironmentOptions): Promise<string> {
  const { name, requirements, cacheDirectory, progress, run, signal } = options
  const pythonVersion = await run('python3', ['-c', 'import platform; print(platform.python_version())']).catch(() => {
    throw new Error(`${name} needs Python: there is no working python3 on the PATH`)
  })
  const key = createHash('sha256').update(`${requirements}\n${pythonVersion}`).digest('hex').slice(0, 16)
  const folder = join(cacheDirectory, 'python', `${name}-${key}`)
  const complete = join(folder, '.complete')
  if (await exists(complete)) return join(folder, 'bin')

  await mkdir(join(cacheDirectory, 'python'), { recursive: true })
  const onWait = ({ pid }: { pid: number }) => progress.say(`${name}: process ${pid} is installing it; waiting`)
  return exclusively(`${folder}.lock`, { onWait, ...(signal === undefined ? {} : { signal }) }, async () => {
    if (await exists(complete)) return join(folder, 'bin')
    await rm(folder, { recursive: true, force: true })
    await progress.step(`${name}: installing from PyPI`, async (note) => {
      const options = signal === undefined ? {} : { signal }
      await run('python3', ['-m', 'venv', folder], options).catch((error: unknown) => {
        throw error instanceof CommandError
          ? new Error(`${name}: python3 cannot make a virtual environment (on Debian: apt-get install python3-venv)`)
          : error
      })
      const file = join(folder, 'requirements.txt')
      await writeFile(file, requirements)
      note('packages')
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '-r', file]
      await run(join(folder, 'bin', 'python'), pip, options)
      await writeFile(complete, `${new Date().toISOString()}\n`)
    })
    return join(folder, 'bin')
  })
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
