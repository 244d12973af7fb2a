/**
 * Runs a program that cannot outlive us.
 *
 * Guarantees: the program leads a process group of its own. When this process has ended in whatever way (SIGKILL too), the
 * group gets SIGTERM, and SIGKILL once the program is gone or a grace is over; when the program ends first, what it left gets both.
 * A Ctrl-C in the terminal does not reach the group: who started it decides the order in which things stop.
 *
 * How: the shell that becomes the program by `exec` first leaves a guard in the group, which reads from a pipe that only this
 * process holds. The pipe closes when this process ends, and the kernel sees to that. Assumes a POSIX `sh`.
 * Caveat: a program that makes a group or session of its own for its children takes them out of the guard's reach.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

export interface GuardedProcess {
  readonly pid: number
  /** Readable where `output` is `pipe`. */
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Settles when the program itself has ended; never rejects. */
  readonly exited: Promise<Exit>
  /** What `exited` will say, once it is known. */
  exit(): Exit | undefined
  /** A signal for the program alone; false when it has already ended. */
  kill(signal: NodeJS.Signals): boolean
  /** SIGTERM, and SIGKILL for the whole group if the program is still there after `graceMs` (5,000 by default). */
  stop(graceMs?: number): Promise<Exit>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface GuardedProcessOptions {
  readonly command: string
  readonly args?: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Both streams go to pipes, or to this file descriptor, or nowhere. Default: `pipe`. */
  readonly output?: 'pipe' | 'ignore' | number
  /** Seconds that the program has between SIGTERM and SIGKILL after this process has ended. Default: 2. */
  readonly guardGraceSeconds?: number
}

const STOP_GRACE_MS = 5_000

/*
 * $1 is the grace, the rest the program. `kill -s`, since dash takes no negative number after `kill -TERM --`. The guard is forked twice, so that it is not the program's child: programs wait for
 * children they know nothing of. `$$` is the program's pid, and the group's number: it stays taken while the guard is in the group.
 */
const GUARD = `
grace=$1; shift
( (
  trap '' HUP INT TERM
  read -r _ <&3
  kill -s TERM -- -$$ 2>/dev/null
  while [ "$grace" -gt 0 ] && kill -0 $$ 2>/dev/null; do sleep 1; grace=$((grace - 1)); done
  kill -s KILL -- -$$
) </dev/null >/dev/null 2>&1 & )
exec 3<&- "$@"
`

export function startGuarded(options: GuardedProcessOptions): GuardedProcess {
  const { command, args = [], cwd, env, output = 'pipe', guardGraceSeconds = 2 } = options
  const child = spawn('sh', ['-c', GUARD, 'sh', String(guardGraceSeconds), command, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    stdio: ['ignore', output, output, 'pipe'],
    detached: true,
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`cannot start a shell for ${command}: is there an "sh" on the PATH?`)

  let ended: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = { code, signal }
      closeGuardPipe(child)
      resolve(ended)
    })
  })

  return {
    pid,
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    exit: () => ended,
    kill: (signal) => ended === undefined && child.kill(signal),
    async stop(graceMs = STOP_GRACE_MS) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => killGroup(pid), graceMs)
      try {
        return await exited
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

function closeGuardPipe(child: ChildProcess): void {
  const pipe = child.stdio[3]
  pipe?.on('error', () => undefined) // the guard is gone already: it went with its group
  pipe?.destroy()
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // the group ended on its own in the meantime
  }
}

/** `exit code 1`, `signal SIGKILL` */
export function describeExit(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
}
