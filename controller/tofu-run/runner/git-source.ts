/**
 * Fetches a configuration from git: one commit, shallow, without submodules, and without anything of this machine's own git settings.
 *
 * The repository is somebody else's: only https, http and ssh are spoken, no helper and no hook runs, what is checked out may not
 * point out of its folder. Credentials go by files and the environment, never by an argument that others could see, and are gone before
 * tofu reads what was fetched.
 */
import { readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import type { GitSource, RunLimits } from '../protocol.ts'
import { type ChildEnd, runChild } from './guarded-child.ts'
import { RunFailure } from './run-failure.ts'

export interface GitCheckout {
  readonly commit: string
}

/** @throws RunFailure with git's own words when the ref is gone, the login is refused, or what it brings is not allowed. */
export async function checkOut(options: {
  readonly git: GitSource
  readonly into: string
  /** Where keys may be written. */
  readonly secretsFolder: string
  readonly outputFolder: string
  readonly environment: Readonly<Record<string, string>>
  readonly onOutput: (text: string) => void
  readonly stop: AbortSignal
  readonly kill: AbortSignal
  readonly limits: RunLimits
}): Promise<GitCheckout> {
  const { git, into, secretsFolder, outputFolder, onOutput, stop, kill, limits } = options
  const environment = { ...options.environment, ...(await loginEnvironment(git, secretsFolder)) }

  async function run(args: readonly string[], quiet = false): Promise<string> {
    let output = ''
    const end: ChildEnd = await runChild({
      program: 'git',
      args: ['-c', 'core.hooksPath=/dev/null', '-c', 'core.symlinks=true', '-c', 'credential.helper=', ...args],
      cwd: into,
      environment,
      outputFolder,
      onOutput: (text, stream) => {
        if (stream === 'stdout') output += text
        if (!quiet || stream === 'stderr') onOutput(text)
        if (stream === 'stderr') output += text
      },
      stop,
      kill,
      limits,
      firstGraceMs: 2_000,
      secondGraceMs: 1_000,
    })
    if (end.code !== 0) {
      throw new RunFailure(
        'SourceUnavailable',
        `git ${args[0]} of ${git.url} failed: ${output.trim() || 'no reason given'}`,
      )
    }
    return output
  }

  onOutput(`Fetching ${git.ref === '' ? 'the default branch' : git.ref} of ${git.url}\n`)
  await run(['init', '--quiet', '.'])
  const what = ['--', git.url, git.ref || 'HEAD']
  try {
    await run(['fetch', '--quiet', '--depth=1', '--no-tags', '--no-recurse-submodules', ...what])
  } finally {
    await rm(join(secretsFolder, keyFile), { force: true })
  }
  await run(['checkout', '--quiet', '--detach', 'FETCH_HEAD'])
  const commit = (await run(['rev-parse', 'HEAD'], true)).trim()
  onOutput(`At commit ${commit}\n`)
  await refuseWhatPointsAway(into)
  return { commit }
}

const keyFile = 'git-key'

async function loginEnvironment(git: GitSource, folder: string): Promise<Record<string, string>> {
  const plain = {
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: 'https:http:ssh',
    GIT_ASKPASS: '/bin/false',
  }
  const { login } = git
  const hosts = join(folder, 'git-known-hosts')
  const ssh = `ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=30 -o IdentitiesOnly=yes -o UserKnownHostsFile='${hosts}'`
  const firstSeen = `${ssh} -o StrictHostKeyChecking=accept-new`
  // ssh looks for keys and hosts in the home that /etc/passwd names, whatever HOME says: those of the controller's own user.
  if (login === undefined) return { ...plain, GIT_SSH_COMMAND: `${firstSeen} -i /dev/null` }
  if (login.kind === 'password') {
    const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
    return {
      ...plain,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `http.${new URL(git.url).origin}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
    }
  }
  const key = join(folder, keyFile)
  await writeFile(key, `${login.privateKey.trimEnd()}\n`, { mode: 0o600 })
  await writeFile(hosts, login.knownHosts, { mode: 0o600 })
  const checked = login.knownHosts === '' ? firstSeen : `${ssh} -o StrictHostKeyChecking=yes`
  return { ...plain, GIT_SSH_COMMAND: `${checked} -i '${key}'` }
}

/** Submodules are somebody else's repositories, and a link out of the folder would make `file()` read this machine. */
async function refuseWhatPointsAway(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = relative(root, path)
    if (name === '.gitmodules') {
      throw new RunFailure(
        'InvalidSource',
        'the repository has submodules (.gitmodules), which are not fetched; vendor the modules instead',
      )
    }
    if (!entry.isSymbolicLink() || name.startsWith(`.git${sep}`)) continue
    const target = resolve(dirname(path), await readlink(path))
    if (target !== root && !target.startsWith(root + sep)) {
      throw new RunFailure('InvalidSource', `${name} is a link out of the repository, which is not followed`)
    }
  }
}
