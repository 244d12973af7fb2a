/**
 * The file in which tofu leaves a state that it could not upload. What a full disk cut short is none, nor what is no file: then tofu has
 * printed the state, and it is taken from there.
 */
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isState } from './state-dump.ts'

export const erroredStateFile = 'errored.tfstate'

/** @param root folder of the configuration; tofu may have run in one below it */
export async function erroredState(root: string): Promise<Buffer | undefined> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (entry.name !== erroredStateFile) continue
    const path = join(entry.parentPath, entry.name)
    if (!(await lstat(path)).isFile()) continue
    const state = await readFile(path)
    if (isState(state.toString('utf8'))) return state
  }
  return undefined
}
