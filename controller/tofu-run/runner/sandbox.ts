/**
 * Runs a program where it sees nothing of this machine but what it needs: Linux namespaces, made by `unshare` of util-linux, without a
 * privilege. For configurations that somebody else wrote, with the executor `process`; a Job has its pod.
 *
 * Guarantees: of the file system it sees programs and libraries (`systemFolders`), certificates and name resolution, the paths that are
 * named, and nothing else: neither /etc/passwd nor a home, nor the folder of another run. All but the writable ones is read-only. It sees
 * no process but its own, and when its first one ends, for whatever reason, all of them are dead. It has no capability, gains no
 * privilege, makes no namespace of its own. Together its processes and threads are bounded.
 *
 * Caveats: the network is the machine's, as tofu needs it. Where the kernel refuses (containers, hardened distributions, no Linux),
 * `sandboxRefusal` says in whose words; nothing here falls back silently.
 *
 * @see https://man7.org/linux/man-pages/man1/unshare.1.html
 * @see https://man7.org/linux/man-pages/man2/pivot_root.2.html for `pivot_root . .`
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readlink, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { mostProcesses } from '../protocol.ts'

export interface Sandbox {
  /** The command line that runs a program inside. Its leader is outside; the program is the child of the leader's child. */
  enclose(options: {
    readonly program: string
    readonly args: readonly string[]
    readonly cwd: string
    /** Beside those that always are: paths that may be written this time. */
    readonly writable?: readonly string[]
  }): Promise<readonly string[]>
}

export interface SandboxOptions {
  /** Where the sandbox keeps what it needs itself; made anew. */
  readonly folder: string
  /** Files and folders, at the same path inside; what is not there is left out. */
  readonly readable: readonly string[]
  /** Folders that may be written. */
  readonly writable: readonly string[]
  /** What is /tmp inside, unless /tmp is one of those that may be written. */
  readonly temporary: string
}

const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/nix/store']
const trust = [
  '/etc/ssl/certs',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/ca-certificates/extracted',
  '/etc/alternatives',
]
const resolution = ['resolv.conf', 'hosts', 'nsswitch.conf', 'host.conf', 'gai.conf', 'localtime', 'ld.so.cache']
/** No /dev/zero and no /dev/full: nobody needs them, and reading one to its end takes all the memory there is. */
const devices = ['/dev/null', '/dev/random', '/dev/urandom']
const deviceLinks = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
}

const namespaces = '--user --map-root-user --mount --pid --ipc --uts --fork --kill-child'.split(' ')

/** Exit code of a sandbox that could not be made; tofu and the shell have none like it. */
export const noSandbox = 125

/** How the command line of the first process inside begins once the sandbox is made; its first child is the program. */
export const readyCommand = ['/bin/sh', '-c', 'PATH=$1;']

/** `pid_max` (Linux 6.14 and newer) holds for root as well, whom the other limit on processes does not hold. */
const setUp = `
own=$PATH; PATH=/usr/sbin:/usr/bin:/sbin:/bin
trap 'exit ${noSandbox}' EXIT
set -e
mount --all --fstab "$1"
cd "$2"
pivot_root . .
umount --lazy .
echo 0 > /proc/sys/user/max_user_namespaces
echo ${mostProcesses} 2>/dev/null > /proc/sys/kernel/pid_max || true
mount -o remount,bind,ro /proc
cd "$3"
shift 3
exec prlimit --nproc=${mostProcesses} \\
  setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- \\
  ${readyCommand[0]} ${readyCommand[1]} '${readyCommand[2]} shift; "$@"; exit $?' sh "$own" "$@"
`

export async function openSandbox({ folder, readable, writable, ...options }: SandboxOptions): Promise<Sandbox> {
  const root = join(folder, 'root')
  const temporary = writable.includes('/tmp') ? '/tmp' : options.temporary
  await rm(folder, { recursive: true, force: true })
  for (const path of ['proc', 'dev', 'etc', 'tmp']) await mkdir(join(root, path), { recursive: true, mode: 0o755 })
  for (const [name, target] of Object.entries(deviceLinks)) await symlink(target, join(root, 'dev', name))
  for (const name of resolution) await copyFile(join('/etc', name), join(root, 'etc', name)).catch(() => undefined)

  /** Lines of fstab(5), each made once. */
  const lines = new Map<string, string>()

  /** What is at `path` outside, at the same path inside. */
  async function bound(path: string, options: string): Promise<string> {
    const known = lines.get(`${options} ${path}`)
    if (known !== undefined) return known
    const line = await newLine(path, options)
    lines.set(`${options} ${path}`, line)
    return line
  }

  async function newLine(path: string, options: string): Promise<string> {
    const found = await stat(path).catch(() => undefined)
    if (found === undefined) return ''
    // What is below /tmp outside finds its place in what is /tmp inside.
    const place = path.startsWith('/tmp/') ? join(temporary, path.slice('/tmp'.length)) : join(root, path)
    await mkdir(found.isDirectory() ? place : dirname(place), { recursive: true, mode: 0o755 })
    if (!found.isDirectory()) await writeFile(place, '', { flag: 'a' })
    return mountLine(await realpath(path), join(root, path), options)
  }

  return {
    async enclose({ program, args, cwd, writable: more = [] }) {
      const paths = new Map<string, string>()
      for (const path of [...systemFolders, ...trust, ...readable]) paths.set(path, 'rbind,ro,nosuid,nodev')
      for (const path of [...devices, ...writable, ...more]) if (path !== '/tmp') paths.set(path, 'rbind')
      const mounts = [mountLine(root, root, 'bind,ro,nosuid,nodev'), mountLine(temporary, join(root, 'tmp'), 'rbind')]
      for (const [path, options] of paths) mounts.push(await bound(path, options))
      mounts.push(`proc ${escaped(join(root, 'proc'))} proc nosuid,nodev,noexec 0 0\n`)
      const table = join(folder, 'fstab')
      await writeFile(table, mounts.join(''))
      return ['unshare', ...namespaces, '--', '/bin/sh', '-c', setUp, 'sh', table, root, cwd, program, ...args]
    },
  }
}

function mountLine(from: string, to: string, options: string): string {
  return `${escaped(from)} ${escaped(to)} none ${options} 0 0\n`
}

/** As fstab(5) wants white space and backslashes: in octal. */
function escaped(path: string): string {
  return path.replace(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

/**
 * Why this machine has no sandbox; `undefined` when it has one: it is built, and what should not be seen from inside is not seen.
 *
 * @param below folder in which something may be written for a moment
 */
export async function sandboxRefusal(below: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return `it needs Linux, and this is ${process.platform}`
  await mkdir(below, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(below, 'sandbox-'))
  try {
    const hidden = join(folder, 'hidden')
    const temporary = join(folder, 'tmp')
    await mkdir(temporary)
    await writeFile(hidden, '')
    const sandbox = await openSandbox({ folder: join(folder, 'box'), readable: [], writable: [], temporary })
    const test = '[ ! -e "$1" ] && [ ! -e /etc/passwd ] && [ "$(readlink /proc/self/ns/pid)" != "$2" ]'
    const args = ['-c', `${test} && echo alone`, 'sh', hidden, await readlink('/proc/self/ns/pid')]
    const [unshare = '', ...rest] = await sandbox.enclose({ program: '/bin/sh', args, cwd: '/' })
    const { stdout } = await promisify(execFile)(unshare, rest, { timeout: 30_000, killSignal: 'SIGKILL' })
    return stdout === 'alone\n' ? undefined : 'what should be hidden is seen from inside'
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT') return 'there is no program unshare (package util-linux)'
    return stderr?.trim().split('\n').at(-1) || String(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
