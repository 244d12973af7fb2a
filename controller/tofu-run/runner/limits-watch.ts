/**
 * Watches what a run uses, and says when it is more than it may: whatever the machine is, and whoever runs on it. A Job's pod has the
 * kernel and the kubelet behind it, which end it without a grace; this comes first, so that tofu can save the state.
 *
 * Guarantees: `onExceeded` is told once, the first limit that was seen to be exceeded; `onFarBeyond` once, when memory or disk went on
 * growing after that and are half as much again. Between two looks, what grows fast may go beyond a limit: it is no wall.
 *
 * The disk itself is watched too: what is deleted and still open takes space in no folder, and a state must always find some.
 */
import type { RunLimits } from '../protocol.ts'
import { diskSpace, diskUsage, type ProcessUsage, usageBelow } from './usage.ts'

export interface Exceeded {
  /** A word for the condition. */
  readonly reason: 'DiskLimitExceeded' | 'MemoryLimitExceeded' | 'CPULimitExceeded'
  /** Ends a sentence that begins with "Stopped because". */
  readonly why: string
}

export interface LimitsWatch {
  /** Looks now; what is exceeded is told before it returns. */
  look(): Promise<void>
  end(): void
}

const farBeyond = 1.5
/** Looking takes at most a tenth of the time. */
const restFactor = 9
/** What has to stay free on the disk: this, or a hundredth of a small one. */
const keptFreeBytes = 256 * 2 ** 20

export function limitsWatch(options: {
  readonly limits: RunLimits
  /** Whose files count. */
  readonly folder: string
  /** Whose processes below count. */
  readonly pid: number
  readonly everyMs: number
  readonly onExceeded: (exceeded: Exceeded) => void
  readonly onFarBeyond: () => void
}): LimitsWatch {
  const { limits, folder, pid, everyMs, onExceeded, onFarBeyond } = options
  let before: Usage | undefined
  let ended = false
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    const [diskBytes, space, processes] = await Promise.all([diskUsage(folder), diskSpace(folder), usageBelow(pid)])
    const usage = { diskBytes, ...processes }
    if (ended) return
    if (before === undefined) {
      const exceeded = whatIsExceeded(usage, limits, space)
      if (exceeded === undefined) return
      before = usage
      onExceeded(exceeded)
    } else if (growsFarBeyond(before, usage, limits)) {
      ended = true
      onFarBeyond()
    }
  }

  function again(afterMs: number): void {
    if (ended) return
    timer = setTimeout(() => {
      const began = performance.now()
      look()
        .catch(() => undefined) // the folder is not there yet, or not any more
        .finally(() => again(Math.max(everyMs, restFactor * (performance.now() - began))))
    }, afterMs)
  }
  again(everyMs)

  return {
    look,
    end() {
      ended = true
      clearTimeout(timer)
    },
  }
}

interface Usage extends ProcessUsage {
  readonly diskBytes: number
}

export function whatIsExceeded(
  used: Usage,
  limits: RunLimits,
  disk: { readonly bytes: number; readonly freeBytes: number },
): Exceeded | undefined {
  if (used.diskBytes > limits.diskBytes) {
    const why = `its files took more than the ${sizeWords(limits.diskBytes)} of disk that a run may have (SKYCLUST_TOFU_DISK)`
    return { reason: 'DiskLimitExceeded', why }
  }
  if (disk.freeBytes < Math.min(keptFreeBytes, disk.bytes / 100)) {
    const why = `the disk that it works on is full: ${sizeWords(disk.freeBytes)} are left, of ${sizeWords(disk.bytes)}`
    return { reason: 'DiskLimitExceeded', why }
  }
  if (used.memoryBytes > limits.memoryBytes) {
    const why = `its processes needed more than the ${sizeWords(limits.memoryBytes)} of memory that a run may have (SKYCLUST_TOFU_MEMORY)`
    return { reason: 'MemoryLimitExceeded', why }
  }
  if (used.cpuTimeMs > limits.cpuTimeMs) {
    const seconds = Math.round(limits.cpuTimeMs / 1000)
    const why = `its processes used more than the ${seconds} s of CPU time that a phase may have (SKYCLUST_TOFU_CPU_TIME)`
    return { reason: 'CPULimitExceeded', why }
  }
  return undefined
}

function growsFarBeyond(before: Usage, now: Usage, limits: RunLimits): boolean {
  return (['diskBytes', 'memoryBytes'] as const).some(
    (what) => now[what] > before[what] && now[what] > farBeyond * limits[what],
  )
}

/** `4 GiB`, `1.5 GiB`, `200 MiB`. */
export function sizeWords(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 30 ? ['GiB', 2 ** 30] : (['MiB', 2 ** 20] as const)
  return `${Math.round((bytes / (size as number)) * 10) / 10} ${unit}`
}
