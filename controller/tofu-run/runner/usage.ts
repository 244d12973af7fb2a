/**
 * What a run uses: the disk under its folder, and the memory and CPU time of the processes below one of ours.
 *
 * Guarantees: what goes away while it is counted counts for nothing; a folder that its owner locked is counted all the same. Caveats: what is
 * deleted and still open is not seen (the disk's free space is); processes are counted where there is a /proc, on Linux.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html for utime, stime, cutime, cstime
 */
import { chmod, lstat, readdir, readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'

/** The least that a file takes, if only its place in a folder and its inode. */
const leastBytes = 4096
/** Of st_blocks, whatever the file system's own are. */
const blockBytes = 512

/** Bytes that everything under the folder takes on its disk, holes left out. */
export async function diskUsage(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name)
    const { blocks } = await lstat(path).catch(() => ({ blocks: 0 }))
    bytes += Math.max(leastBytes, blocks * blockBytes)
    if (entry.isDirectory()) bytes += await diskUsage(path)
  }
  return bytes
}

async function entriesOf(folder: string) {
  const read = () => readdir(folder, { withFileTypes: true })
  try {
    return await read()
  } catch {
    await chmod(folder, 0o700).catch(() => undefined)
    return read().catch(() => [])
  }
}

export interface DiskSpace {
  readonly bytes: number
  readonly freeBytes: number
}

/** Of the disk that the folder is on. */
export async function diskSpace(folder: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(folder)
  return { bytes: bsize * blocks, freeBytes: bsize * bavail }
}

export interface ProcessUsage {
  /** Anonymous and shared memory, swapped out or not; not the pages of programs and files. */
  readonly memoryBytes: number
  /** Of those that are there, and of those that have ended and were waited for. */
  readonly cpuTimeMs: number
}

/** Of all processes below that one; of the one itself only what its children used. */
export async function usageBelow(pid: number): Promise<ProcessUsage> {
  const { waitedMs } = await cpuOf(pid)
  const below = await Promise.all((await childrenOf(pid)).map(usageFrom))
  return sum([{ memoryBytes: 0, cpuTimeMs: waitedMs }, ...below])
}

async function usageFrom(pid: number): Promise<ProcessUsage> {
  const [{ ownMs }, memoryBytes, below] = await Promise.all([cpuOf(pid), memoryOf(pid), usageBelow(pid)])
  return sum([{ memoryBytes, cpuTimeMs: ownMs }, below])
}

function sum(usages: readonly ProcessUsage[]): ProcessUsage {
  return {
    memoryBytes: usages.reduce((all, { memoryBytes }) => all + memoryBytes, 0),
    cpuTimeMs: usages.reduce((all, { cpuTimeMs }) => all + cpuTimeMs, 0),
  }
}

const textOf = (path: string) => readFile(path, 'utf8').catch(() => '')

/** Any of a process's threads may have started children. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(threads.map((thread) => textOf(`/proc/${pid}/task/${thread}/children`)))
  return lists.flatMap((list) => list.trim().split(/\s+/).filter(Boolean).map(Number))
}

/** USER_HZ, in which the kernel counts for user space on every platform that Node.js has. */
const msPerTick = 10

async function cpuOf(pid: number): Promise<{ readonly ownMs: number; readonly waitedMs: number }> {
  const stat = await textOf(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = (index: number) => Number(fields[index] ?? 0)
  return { ownMs: (ticks(11) + ticks(12)) * msPerTick, waitedMs: (ticks(13) + ticks(14)) * msPerTick }
}

async function memoryOf(pid: number): Promise<number> {
  const status = await textOf(`/proc/${pid}/status`)
  const kiB = [...status.matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm)].map(([, count]) => Number(count))
  return kiB.reduce((all, count) => all + count, 0) * 1024
}
