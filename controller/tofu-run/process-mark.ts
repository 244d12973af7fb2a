/**
 * Which process it was: its pid, and what tells it from a later one with the same pid. On Linux the start time (in clock ticks since
 * boot, field 22 of /proc/<pid>/stat) and the boot; elsewhere the pid alone.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
import { readFile } from 'node:fs/promises'

export interface ProcessMark {
  readonly pid: number
  readonly startedAt: string
  readonly boot: string
}

export async function markOf(pid: number): Promise<ProcessMark> {
  return { pid, startedAt: await startOf(pid), boot: await bootId() }
}

export async function lives(mark: ProcessMark): Promise<boolean> {
  return responds(mark.pid) && (await startOf(mark.pid)) === mark.startedAt && (await bootId()) === mark.boot
}

/** Whether anything of the group that this process leads or led is there; the number is not given anew while it is. */
export async function groupLives(mark: ProcessMark): Promise<boolean> {
  if ((await bootId()) !== mark.boot) return false
  const start = await startOf(mark.pid)
  return responds(-mark.pid) && (start === '' || start === mark.startedAt)
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

function responds(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** "" for a process that is gone, or is a zombie: it does nothing any more. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? '' : (fields[19] ?? '')
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim()
}
