/**
 * Where the local control plane's programs and OpenTofu come from, in this order: a folder or file that the caller names
 * (`KUBEBUILDER_ASSETS` for each program that is in it; `SKYCLUST_TOFU`, then the PATH, for tofu), the cache shared by all checkouts,
 * the project's official release with its checksum verified, a build from the Go modules pinned here.
 *
 * Guarantees: the answer is the path of a whole, executable file. Two processes that ask at once build once. An interrupted download or
 * build leaves nothing that could be taken for the program.
 */
import { access, chmod, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { type RunCommand, runCommand } from './command.ts'
import { download, type Fetch } from './download.ts'
import { exclusively } from './exclusive.ts'
import { goBuild } from './go-build.ts'
import type { Platform } from './platform.ts'
import type { Progress } from './progress.ts'
import { type Program, type ProgramName, programs } from './releases.ts'

export interface ObtainOptions {
  readonly sources: Sources
  readonly platform: Platform
  readonly modulesDirectory: string
  readonly progress: Progress
  readonly fetch: Fetch
  readonly run?: RunCommand
  readonly signal?: AbortSignal
}

/** What the environment says about where programs are. */
export interface Sources {
  readonly cacheDirectory: string
  /** `KUBEBUILDER_ASSETS` */
  readonly assetsDirectory: string | undefined
  /** `SKYCLUST_TOFU` */
  readonly tofu: string | undefined
  /** The folders of `PATH`. */
  readonly path: readonly string[]
  /** Handed to the commands that build. */
  readonly environment: NodeJS.ProcessEnv
}

export function sourcesOf(environment: NodeJS.ProcessEnv, home: string): Sources {
  return {
    cacheDirectory: join(environment.XDG_CACHE_HOME || join(home, '.cache'), 'skyclust'),
    assetsDirectory: environment.KUBEBUILDER_ASSETS || undefined,
    tofu: environment.SKYCLUST_TOFU || undefined,
    path: (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
    environment,
  }
}

/** Asks for programs one after another; a host that could not be reached for one is not tried for the next. */
export function programObtainer(options: ObtainOptions): (name: ProgramName) => Promise<string> {
  const unreachable = new Set<string>()
  return (name) => obtain(programs[name], options, unreachable)
}

async function obtain(program: Program, options: ObtainOptions, unreachable: Set<string>): Promise<string> {
  const { sources, platform, progress, signal } = options
  const present = await presentProgram(program, sources)
  if (present !== undefined) return present

  const folder = join(sources.cacheDirectory, program.project, `v${program.version}`, `${platform.os}-${platform.arch}`)
  const cached = join(folder, program.name)
  if (await isExecutable(cached)) return cached

  await mkdir(folder, { recursive: true })
  const onWait = ({ pid }: { pid: number }) =>
    progress.say(`${program.name} ${program.version}: process ${pid} is obtaining it; waiting`)
  return exclusively(`${cached}.lock`, { onWait, ...(signal === undefined ? {} : { signal }) }, async () => {
    if (await isExecutable(cached)) return cached
    await removeLeftovers(folder, `${program.name}.partial-`)
    const partial = await mkdtemp(join(folder, `${program.name}.partial-`))
    try {
      const file = join(partial, program.name)
      if (!(await downloaded(program, file, options, unreachable))) {
        await goBuild({
          ...options,
          program,
          to: file,
          cacheDirectory: sources.cacheDirectory,
          environment: sources.environment,
          run: options.run ?? runCommand,
        })
      }
      await chmod(file, 0o755)
      await rename(file, cached)
      return cached
    } finally {
      await rm(partial, { recursive: true, force: true })
    }
  })
}

/** One that somebody named or installed: taken as it is. A name that leads nowhere is an error, not a reason to look further. */
async function presentProgram(program: Program, sources: Sources): Promise<string | undefined> {
  if (program.name === 'tofu') {
    if (sources.tofu !== undefined) {
      if (await isExecutable(sources.tofu)) return sources.tofu
      throw new Error(`SKYCLUST_TOFU=${sources.tofu} is no executable file: correct or unset it`)
    }
    return firstExecutable(sources.path.map((folder) => join(folder, 'tofu')))
  }
  if (sources.assetsDirectory === undefined) return undefined
  await access(sources.assetsDirectory).catch(() => {
    throw new Error(`KUBEBUILDER_ASSETS=${sources.assetsDirectory} does not exist: correct or unset it`)
  })
  return firstExecutable([join(sources.assetsDirectory, program.name)])
}

/** True once the release is at `file`; false, with one line that says why, where it cannot be had. */
async function downloaded(
  program: Program,
  file: string,
  options: ObtainOptions,
  unreachable: Set<string>,
): Promise<boolean> {
  const { platform, progress, fetch, signal, run = runCommand } = options
  const release = program.release?.(platform)
  if (release === undefined) return false
  const { host } = new URL(release.url)
  if (unreachable.has(host)) return false
  const fetched = release.archiveMember === undefined ? file : `${file}.archive`
  try {
    await progress.step(`${program.name} ${program.version}: downloading from ${host}`, (note) =>
      download({ ...release, to: fetched, fetch, note, ...(signal === undefined ? {} : { signal }) }),
    )
  } catch (error) {
    signal?.throwIfAborted()
    unreachable.add(host)
    progress.say(`${program.name} ${program.version}: no release, building instead (${(error as Error).message})`)
    return false
  }
  if (release.archiveMember !== undefined) {
    await run('tar', ['-xf', fetched, '-C', dirname(file), release.archiveMember])
    await rename(join(dirname(file), release.archiveMember), file)
  }
  return true
}

/** What a process that was killed in the middle left behind; only called by the one who holds the lock. */
async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (entry.startsWith(prefix)) await rm(join(folder, entry), { recursive: true, force: true })
  }
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
