/**
 * The file in which tofu leaves a state that it could not upload. What a full disk cut short is none, nor what is no file: then tofu has
 * printed the state, and it is taken from there.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isState } from './state-dump.ts'

export const erroredStateFile = 'errored.tfstate'

/** @param root folder of the configuration; tofu may have run in one below it */
export async function erroredState(root: string): Promise<Buffer | undefined> {
  // A folder that cannot be read, or is too deep to be named, hides no more than what is in it.
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  for (const { name } of entries.filter((entry) => entry.isFile() && entry.name === erroredStateFile)) {
    const state = await readFile(join(root, name))
    if (isState(state.toString('utf8'))) return state
  }
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    const state = await erroredState(join(root, name))
    if (state !== undefined) return state
  }
  return undefined
}
