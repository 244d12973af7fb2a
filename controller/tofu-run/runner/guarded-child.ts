/**
 * Runs one program, tofu or git, so that it can be stopped politely and cannot outlive the runner; in a sandbox if one is given.
 *
 * Stopping: one SIGINT to the program alone (tofu finishes what is under way and saves the state; its providers must not be hit);
 * after a grace a second one (tofu gives up at once, with what it has); after another SIGKILL to the whole group.
 *
 * The program leads a session of its own. In its group stays a guard, a shell that reads from a pipe which only the runner holds:
 * when the runner is gone, for whatever reason, the guard does the same as above. When the program has ended, the guard ends what
 * the program left behind. The group's number stays taken as long as the guard lives, so it can hit nobody else.
 *
 * No process of it may have more memory of its own, or write a larger file, than the run may have in all: a configuration that reads an endless
 * file takes itself down, not the machine. And it leaves the processor to whoever else wants it, the controller first of all.
 *
 * In a sandbox the leader of the group is `unshare`, which takes no SIGINT and hands none on; its child is the first process inside, and
 * the program is the child of that one. SIGINT goes to the program there, too. SIGKILL of the leader ends all that is inside.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import type { RunLimits } from '../protocol.ts'
import { growingFile } from './growing-file.ts'
import { readyCommand, type Sandbox } from './sandbox.ts'

export interface ChildEnd {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined
  /** How hard it had to be stopped: 0 not at all, 1 and 2 by SIGINT, 3 by SIGKILL. */
  readonly stopped: 0 | 1 | 2 | 3
}

const guard = `
grace=$1 sandbox=$2 memory=$3 file=$4 processes=$5; shift 5
( trap '' HUP INT TERM
  read -r _ <&3
  program=; [ "$sandbox" = yes ] || program=$$
  while [ -z "$program" ] && kill -0 $$ 2>/dev/null; do
    read -r _ first </proc/$$/task/$$/children # the first child of all is this guard
    its=$(cat /proc/$first/cmdline)
    case $its in '${readyCommand.join('')}'*) read -r program _ </proc/$first/task/$first/children ;; esac
    [ "$its" != "$(cat /proc/$program/cmdline)" ] || program= # not yet the program, but a copy of the shell
    [ -n "$program" ] || sleep 1
  done
  kill -s INT $program 2>/dev/null
  while [ "$grace" -gt 0 ] && kill -0 $$ 2>/dev/null; do sleep 1; grace=$((grace - 1)); done
  kill -s KILL -- -$$ ) </dev/null >/dev/null 2>&1 &
exec 3<&-
ulimit -d "$memory" 2>/dev/null # KiB
ulimit -f "$file" 2>/dev/null # blocks of 512 bytes
ulimit -c 0
[ -z "$processes" ] || prlimit --pid $$ --nproc="$processes"
renice -n 5 -p $$ >/dev/null 2>&1
{ echo 5 >/proc/$$/autogroup; } 2>/dev/null # niceness of the session, where the kernel shares the processor among those; sched(7)
exec "$@"
`

const lookAgainMs = 50

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
  /** Aborted when it is to be killed without asking. */
  readonly kill?: AbortSignal
  readonly firstGraceMs: number
  readonly secondGraceMs: number
  readonly limits: Pick<RunLimits, 'memoryBytes' | 'diskBytes'>
  /** How many processes and threads the user that we are may have; only where that user is nobody else. */
  readonly processes?: number | undefined
  readonly sandbox?: Sandbox | undefined
  /** What may be written in the sandbox, beside what always may. */
  readonly writable?: readonly string[]
}): Promise<ChildEnd> {
  const { program, args, cwd, environment, outputFolder, onOutput, onStart, stop, firstGraceMs, secondGraceMs } =
    options
  const { sandbox, writable = [], limits, processes, kill } = options
  const command = sandbox === undefined ? [program, ...args] : await sandbox.enclose({ program, args, cwd, writable })
  const graceSeconds = String(Math.ceil((firstGraceMs + secondGraceMs) / 1000))
  await mkdir(outputFolder, { recursive: true, mode: 0o700 })
  const stdout = await growingFile(join(outputFolder, 'stdout'), (text) => onOutput(text, 'stdout'))
  const stderr = await growingFile(join(outputFolder, 'stderr'), (text) => onOutput(text, 'stderr'))
  const enclosed = sandbox === undefined ? 'no' : 'yes'
  const [memory, file] = [limits.memoryBytes / 1024, limits.diskBytes / 512].map((limit) => String(Math.ceil(limit)))
  const guardArgs = [graceSeconds, enclosed, memory, file, String(processes ?? '')] as string[]
  const child = spawn('/bin/sh', ['-c', guard, 'sh', ...guardArgs, ...command], {
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
      if (stopped === 2) {
        killIt()
        return
      }
      const target = sandbox === undefined ? plainProgram(child.pid) : enclosedProgram(child.pid)
      if (target === undefined) {
        timer = setTimeout(stopIt, lookAgainMs)
        return
      }
      stopped = stopped === 0 ? 1 : 2
      signal('SIGINT', target)
      timer = setTimeout(stopIt, stopped === 1 ? firstGraceMs : secondGraceMs)
    }
    function killIt(): void {
      clearTimeout(timer)
      if (child.pid === undefined || child.exitCode !== null) return
      stopped = 3
      signal('SIGKILL', -child.pid)
    }
    function settled(): void {
      clearTimeout(timer)
      stop.removeEventListener('abort', stopIt)
      kill?.removeEventListener('abort', killIt)
    }

    child.once('error', (error) => {
      settled()
      reject(error)
    })
    child.once('exit', (exitCode) => {
      settled()
      lifeline.end() // the guard ends what the program left behind
      const killedInside = sandbox !== undefined && exitCode !== null && exitCode > 128
      resolve({ code: killedInside ? undefined : (exitCode ?? undefined), stopped })
    })
    if (stop.aborted) stopIt()
    else stop.addEventListener('abort', stopIt, { once: true })
    if (kill?.aborted) killIt()
    else kill?.addEventListener('abort', killIt, { once: true })
  })
  try {
    return await ended
  } finally {
    await stdout.close()
    await stderr.close()
  }
}

/** The program that the leader becomes; `undefined` while it still is the shell, which forgets a signal that comes with its `exec`. */
function plainProgram(leader: number): number | undefined {
  return commandOf(leader).includes(guard) ? undefined : leader
}

/** The program in a sandbox; `undefined` while the sandbox is being made, when a signal would reach nobody who matters. */
function enclosedProgram(leader: number): number | undefined {
  const first = childrenOf(leader).at(-1) // the other one is the guard
  if (first === undefined || !commandOf(first).startsWith(readyCommand.join('\0'))) return undefined
  const [program] = childrenOf(first)
  // Between its fork and its exec it is a copy of the shell, which forgets what signals it got.
  return program === undefined || commandOf(program) === commandOf(first) ? undefined : program
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** In the order in which they were started. @see https://man7.org/linux/man-pages/man5/proc_tid_children.5.html */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number)
  } catch {
    return []
  }
}
