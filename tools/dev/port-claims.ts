/**
 * Ports that a `make dev` has chosen, from then until it ends: another one of the same person, started in the same second, chooses others
 * though nothing listens yet. A claim whose process is dead counts for nothing.
 */
import { mkdir } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { LockedError, lockNow } from '../exclusive.ts'

export interface PortClaims {
  /** False when it is another's. */
  claim(port: number): Promise<boolean>
  /** Gives back all. */
  release(): Promise<void>
}

const everybodys = join(tmpdir(), `skyclust-ports-${userInfo().uid}`)

/** `folder` is that of all who shall heed each other. */
export function portClaims(folder: string = everybodys): PortClaims {
  const held = new Map<number, () => Promise<void>>()

  return {
    async claim(port) {
      if (held.has(port)) return true
      await mkdir(folder, { recursive: true, mode: 0o700 })
      try {
        held.set(port, await lockNow(join(folder, String(port))))
        return true
      } catch (error) {
        if (error instanceof LockedError) return false
        throw error
      }
    },
    async release() {
      for (const give of held.values()) await give()
      held.clear()
    },
  }
}
