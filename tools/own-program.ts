/**
 * One of our own programs, as a command. Node strips the types of its files and compiles them at each start, which takes a second
 * and 20 MiB; what it made of them is kept under `node_modules`, by content, so that the next start takes a third of a second.
 */
import { join } from 'node:path'

export interface OwnProgram {
  /** The checkout. */
  readonly root: string
  /** From there: `controller/main.ts`. */
  readonly main: string
  readonly args?: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

export function ownProgram({ root, main, args = [], env }: OwnProgram) {
  return {
    command: process.execPath,
    args: [join(root, main), ...args],
    cwd: root,
    env: { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compiled'), ...env },
  }
}
