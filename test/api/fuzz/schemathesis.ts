/**
 * Schemathesis, a property-based fuzzer that makes requests of an OpenAPI document and holds the answers against it.
 *
 * Obtained once for all checkouts (a virtual environment in the cache, pinned by `requirements.txt`).
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../../tools/command.ts'
import { sourcesOf } from '../../../tools/obtain-program.ts'
import { progress } from '../../../tools/progress.ts'
import { pythonEnvironment } from '../../../tools/python-environment.ts'

export interface FuzzOptions {
  readonly url: string
  readonly token: string
  /** How long requests are made, in seconds. */
  readonly budgetSeconds: number
  /** The same seed makes the same requests, as far as the answers are the same. */
  readonly seed: number
  /** Operations that are left out, as regular expressions of their paths. */
  readonly without: readonly RegExp[]
  /** Any other answer time is a hang. */
  readonly answerWithinSeconds: number
}

export interface FuzzReport {
  /** Whether anything was found, or it could not run at all. */
  readonly found: boolean
  readonly requests: number
  /** What it says itself, with a command to repeat each finding. */
  readonly text: string
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { url, token, budgetSeconds, seed, without, answerWithinSeconds } = options
  const folder = await pythonEnvironment({
    name: 'schemathesis',
    requirements: await readFile(join(import.meta.dirname, 'requirements.txt'), 'utf8'),
    cacheDirectory: sourcesOf(process.env, homedir()).cacheDirectory,
    progress: progress({ write: (line) => console.error(line) }),
    run: runCommand,
  })
  const args = [
    ...['--config-file', join(import.meta.dirname, 'schemathesis.toml')],
    ...['run', `${url}/openapi.json`, '--url', url],
    ...['--header', `Authorization: Bearer ${token}`],
    ...['--max-time', String(budgetSeconds)],
    ...['--seed', String(seed)],
    ...['--request-timeout', String(answerWithinSeconds), '--max-response-time', String(answerWithinSeconds)],
    ...['--exclude-path-regex', without.map(({ source }) => source).join('|')],
    // One, because Python before 3.12 cannot parse source in two threads at once (CPython issue 106905).
    ...['--workers', '1', '--no-color', '--generation-database', 'none', '--warnings', 'off'],
  ]
  return new Promise((resolve) => {
    const settings = { maxBuffer: 64 * 1024 * 1024, timeout: (budgetSeconds + 120) * 1_000, cwd: tmpdir() }
    execFile(join(folder, 'schemathesis'), args, settings, (error, stdout, stderr) => {
      const requests = Number(/(\d+) generated/.exec(stdout)?.[1] ?? 0)
      resolve({ found: error !== null, requests, text: `${stdout}\n${stderr}` })
    })
  })
}
