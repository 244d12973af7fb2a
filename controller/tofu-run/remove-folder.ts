/**
 * Removes a folder in which somebody else's programs worked: also when they locked a folder of it, or made one so deep that its path is longer
 * than a system call takes. Neither of these would Node.js remove.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export async function removeFolder(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch {
    await run('chmod', ['-R', 'u+rwx', '--', path]).catch(() => undefined) // rm says what is still in its way
    await run('rm', ['-rf', '--', path])
  }
}
