/**
 * Runs one program, tofu or git, so that it can be stopped politely and cannot outlive the runner.
 *
 * Stopping: one SIGINT to the program alone (tofu finishes what is under way and saves the state; its providers must not be hit);
 * after a grace a second one (tofu gives up at once, with what it has); after another SIGKILL to the whole group.
 *
 * The program leads a session of its own. In its group stays a guard, a shell that reads from a pipe which only the runner holds:
 * when the runner is gone, for whatever reason, the guard does the same as above. When the program has ended, the guard ends what
 * the program left behind. The group's number stays taken as long as the guard lives, so it can hit nobody else.
 *
 * No process of it may have more than 4 GiB of memory of its own, or write a file larger than that: a configuration that reads an endless file
 * takes itself down, not the machine.
 */
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { growingFile } from './growing-file.ts'

export interface ChildEnd {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined
  /** How hard it had to be stopped: 0 not at all, 1 and 2 by SIGINT, 3 by SIGKILL. */
  readonly stopped: 0 | 1 | 2 | 3
}

const guard = `
grace=$1; shift
( trap '' HUP INT TERM
  read -r _ <&3
  kill -s INT $$ 2>/dev/null
  while [ "$grace" -gt 0 ] && kill -0 $$ 2>/dev/null; do sleep 1; grace=$((grace - 1)); done
  kill -s KILL -- -$$ ) </dev/null >/dev/null 2>&1 &
exec 3<&-
ulimit -d 4194304 2>/dev/null # KiB
ulimit -f 8388608 2>/dev/null # blocks of 512 bytes
ulimit -c 0
exec "$@"
`

export async function runChild(options: {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** Where its output is written; it has to outlive us as well. */
  readonly outputFolder: string
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void
  /** Told the pid, which is the number of its group as well, before anything else. */
  readonly onStart?: (pid: number) => void
  /** Aborted when the program is to stop. */
  readonly stop: AbortSignal
  readonly firstGraceMs: number
  readonly secondGraceMs: number
}): Promise<ChildEnd> {
  const { program, args, cwd, environment, outputFolder, onOutput, onStart, stop, firstGraceMs, secondGraceMs } =
    options
  const graceSeconds = String(Math.ceil((firstGraceMs + secondGraceMs) / 1000))
  await mkdir(outputFolder, { recursive: true, mode: 0o700 })
  const stdout = await growingFile(join(outputFolder, 'stdout'), (text) => onOutput(text, 'stdout'))
  const stderr = await growingFile(join(outputFolder, 'stderr'), (text) => onOutput(text, 'stderr'))
  const child = spawn('/bin/sh', ['-c', guard, 'sh', graceSeconds, program, ...args], {
    cwd,
    env: environment,
    detached: true,
    stdio: ['ignore', stdout.fd, stderr.fd, 'pipe'],
  })
  if (child.pid !== undefined) onStart?.(child.pid)
  const lifeline = child.stdio[3] as Writable
  lifeline.on('error', () => undefined)
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    let stopped: ChildEnd['stopped'] = 0
    let timer: NodeJS.Timeout | undefined

    function signal(name: 'SIGINT' | 'SIGKILL', target: number): void {
      try {
        process.kill(target, name)
      } catch {
        // It has ended in between; its exit is on the way.
      }
    }
    function stopIt(): void {
      if (child.pid === undefined || child.exitCode !== null) return
      stopped = stopped === 0 ? 1 : stopped === 1 ? 2 : 3
      signal(stopped === 3 ? 'SIGKILL' : 'SIGINT', stopped === 3 ? -child.pid : child.pid)
      if (stopped < 3) timer = setTimeout(stopIt, stopped === 1 ? firstGraceMs : secondGraceMs)
    }
    function settled(): void {
      clearTimeout(timer)
      stop.removeEventListener('abort', stopIt)
    }

    child.once('error', (error) => {
      settled()
      reject(error)
    })
    child.once('exit', (exitCode) => {
      settled()
      lifeline.end() // the guard ends what the program left behind
      resolve({ code: exitCode ?? undefined, stopped })
    })
    if (stop.aborted) stopIt()
    else stop.addEventListener('abort', stopIt, { once: true })
  })
  try {
    return await ended
  } finally {
    await stdout.close()
    await stderr.close()
  }
}
