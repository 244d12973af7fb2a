/**
 * Runs a command to its end and hands back what it printed; lines can be watched as they come.
 *
 * Guarantees: ends with this process or with `signal`, the command's own children included; an exit code other than 0
 * throws a `CommandError` that carries the last lines of stderr.
 */
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { describeExit, startGuarded } from './guarded-process.ts'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly signal?: AbortSignal
  readonly onStderr?: (line: string) => void
}

export type RunCommand = (command: string, args: readonly string[], options?: CommandOptions) => Promise<string>

export class CommandError extends Error {
  readonly stderr: string
  constructor(command: string, how: string, stderr: string) {
    super(`${command}: ${how}${stderr === '' ? '' : `\n${stderr}`}`)
    this.stderr = stderr
  }
}

const KEPT_STDERR_LINES = 20

/** Answers with stdout. */
export const runCommand: RunCommand = async (command, args, options = {}) => {
  const { signal, onStderr, ...where } = options
  signal?.throwIfAborted()
  const child = startGuarded({ command, args, ...where })
  const stop = () => void child.stop()
  signal?.addEventListener('abort', stop, { once: true })

  const lastLines: string[] = []
  try {
    const [stdout] = await Promise.all([
      textOf(child.stdout),
      eachLine(child.stderr, (line) => {
        lastLines.push(line)
        if (lastLines.length > KEPT_STDERR_LINES) lastLines.shift()
        onStderr?.(line)
      }),
    ])
    const exit = await child.exited
    signal?.throwIfAborted()
    if (exit.code !== 0) {
      throw new CommandError([command, ...args].join(' '), describeExit(exit), lastLines.join('\n'))
    }
    return stdout
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

async function textOf(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? []) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

async function eachLine(stream: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (stream === null) return
  for await (const line of createInterface({ input: stream })) onLine(line)
}
