/**
 * The folder in which tofu works: written from files, packed after a plan, and unpacked as it was for the apply of that plan,
 * because an apply evaluates `file()` and runs provisioners once more.
 */
import { chmod, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { maxSourceBytes, type WorkspaceArchive } from '../protocol.ts'
import { erroredStateFile } from './errored-state.ts'
import { forbiddenBlocks } from './forbidden-blocks.ts'
import { RunFailure } from './run-failure.ts'

/** Made by us, read by tofu: where the state is, the environment says. */
export const backendFile = 'zz_skyclust_backend.tf.json'
const backend = JSON.stringify({ terraform: { backend: { http: {} } } })

export async function writeFiles(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = within(root, path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, content)
  }
}

/** Refuses a configuration that names its own backend, and puts ours there. */
export async function takeOverBackend(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new RunFailure('InvalidSource', 'spec.source.git.path is not a folder of the repository')
  })
  const files: Record<string, string> = {}
  for (const entry of entries) {
    if (!entry.isFile() || !/\.(tf|tofu)(\.json)?$/.test(entry.name)) continue
    files[entry.name] = await readFile(join(folder, entry.name), 'utf8')
  }
  if (Object.keys(files).length === 0) {
    throw new RunFailure(
      'InvalidSource',
      'the source has no configuration: no file that ends in .tf or .tofu is in its folder',
    )
  }
  if (backendFile in files)
    throw new RunFailure('InvalidSource', `${backendFile} is the name of a file that SkyClust writes; rename yours`)
  const found = forbiddenBlocks(files)
  if (found.length > 0) {
    const places = found.map(({ file, line, block }) => `${file} line ${line}: ${block} block`).join('; ')
    throw new RunFailure(
      'InvalidSource',
      `SkyClust keeps the state itself; remove what names another place (${places})`,
    )
  }
  await writeFile(join(folder, backendFile), backend)
}

/** Everything in the folder but git's own data, the providers (which `init` brings), the backend's memory, and somebody's old `errored.tfstate`. */
export async function pack(root: string, folder: string): Promise<WorkspaceArchive> {
  const entries: WorkspaceArchive['entries'] = []
  let bytes = 0
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name)
    const path = relative(root, full).split(sep).join('/')
    if (/^\.git\/|(^|\/)\.terraform\/(providers\/|terraform\.tfstate$)/.test(path)) continue
    if (entry.name === erroredStateFile) continue
    if (entry.isSymbolicLink()) entries.push({ kind: 'link', path, target: await readlink(full) })
    if (!entry.isFile()) continue
    const [stat, content] = [await lstat(full), await readFile(full)]
    bytes += content.length
    if (bytes > maxSourceBytes) {
      const limit = `${maxSourceBytes / 1024 / 1024} MiB`
      throw new RunFailure(
        'InvalidSource',
        `the configuration with its modules is larger than ${limit}; leave out what tofu does not need`,
      )
    }
    entries.push({ kind: 'file', path, executable: (stat.mode & 0o100) !== 0, base64: content.toString('base64') })
  }
  return { folder, entries }
}

/** Files before links: whatever the archive says, none is written through a link that leads out. */
export async function unpack(root: string, { entries }: WorkspaceArchive): Promise<void> {
  for (const entry of entries) {
    if (entry.kind !== 'file') continue
    const target = within(root, entry.path)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, Buffer.from(entry.base64, 'base64'))
    if (entry.executable) await chmod(target, 0o755)
  }
  for (const entry of entries) {
    if (entry.kind !== 'link') continue
    const target = within(root, entry.path)
    await mkdir(dirname(target), { recursive: true })
    await symlink(entry.target, target)
  }
}

/** @throws RunFailure when the path leads out of the root. */
export function within(root: string, path: string): string {
  const target = resolve(root, path)
  if (target !== root && !target.startsWith(root + sep)) {
    throw new RunFailure('InvalidSource', `${path} leads out of the configuration's folder`)
  }
  return target
}
