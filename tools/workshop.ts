/**
 * The tools as this checkout has them: the real network, the real commands, progress on stderr.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EnvHttpProxyAgent, fetch } from 'undici'
import { runCommand } from './command.ts'
import { programObtainer, sourcesOf } from './obtain-program.ts'
import { platformOf } from './platform.ts'
import { progress } from './progress.ts'
import { pythonEnvironment } from './python-environment.ts'
import type { ProgramName } from './releases.ts'

export interface Workshop {
  /** The path of a program, obtained first if it must be. */
  readonly obtain: (name: ProgramName) => Promise<string>
  /** The path of `moto_server`, the EC2-speaking server of the tests. */
  readonly moto: () => Promise<string>
}

export interface WorkshopOptions {
  readonly environment: NodeJS.ProcessEnv
  readonly home: string
  readonly signal?: AbortSignal
}

export function workshop(options: WorkshopOptions): Workshop {
  const { environment, home, signal } = options
  const sources = sourcesOf(environment, home)
  const lines = progress({ write: (line) => console.error(line) })
  const stopping = signal === undefined ? {} : { signal }
  const dispatcher = new EnvHttpProxyAgent() // releases are fetched through the proxy that the environment names, if any

  return {
    obtain: programObtainer({
      sources,
      platform: platformOf(process.platform, process.arch),
      modulesDirectory: import.meta.dirname,
      progress: lines,
      fetch: (url, init) => fetch(url, { ...init, dispatcher }) as unknown as Promise<Response>,
      ...stopping,
    }),
    async moto() {
      const folder = await pythonEnvironment({
        name: 'moto',
        requirements: await readFile(join(import.meta.dirname, 'requirements.txt'), 'utf8'),
        cacheDirectory: sources.cacheDirectory,
        progress: lines,
        run: runCommand,
        ...stopping,
      })
      return join(folder, 'moto_server')
    },
  }
}
