/**
 * Downloads a release and believes it only with its checksum.
 *
 * Guarantees: what is at `to` afterwards has the SHA-256 that the project publishes; on any failure nothing is left there. An
 * unreachable host is known within seconds, and a download that stands still is given up.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { megabytes } from './progress.ts'

export type Fetch = (url: string, init: { signal: AbortSignal }) => Promise<Response>

export interface DownloadOptions {
  readonly url: string
  readonly checksumUrl: string
  readonly to: string
  readonly fetch: Fetch
  readonly note?: (state: string) => void
  readonly signal?: AbortSignal
  /** How long the first byte of an answer may take. Default: 10,000: a build in its place takes minutes. */
  readonly firstByteMs?: number
  /** How long nothing may come in the middle of an answer. Default: 30,000. */
  readonly stallMs?: number
}

/** Resolves once the file at `to` is whole and verified. Throws an `Error` of one line. */
export async function download(options: DownloadOptions): Promise<void> {
  const { url, checksumUrl, to } = options
  const file = new URL(url).pathname.split('/').at(-1) ?? ''
  const expected = checksumFor(file, await get(options, checksumUrl, (answer) => answer.text()))
  if (expected === undefined) throw new Error(`${checksumUrl} has no SHA-256 for ${file}`)

  try {
    const actual = await get(options, url, (answer, alive) => save(answer, to, { alive, note: options.note }))
    if (actual !== expected) throw new Error(`${url} has SHA-256 ${actual}, published is ${expected}: not used`)
  } catch (error) {
    await rm(to, { force: true })
    throw error
  }
}

/** From `digest`, or from lines of `digest  file` (or `digest *file`), as sha256sum prints them. */
export function checksumFor(file: string, checksums: string): string | undefined {
  for (const line of checksums.split('\n')) {
    const [digest = '', name] = line.trim().split(/\s+\*?/)
    if (/^[0-9a-f]{64}$/i.test(digest) && (name === undefined || name === '' || name === file))
      return digest.toLowerCase()
  }
  return undefined
}

type Reader<T> = (answer: Response, alive: () => void) => Promise<T>

async function get<T>(options: DownloadOptions, url: string, read: Reader<T>): Promise<T> {
  const { fetch, signal, firstByteMs = 10_000, stallMs = 30_000 } = options
  const silence = new AbortController()
  const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal])
  const watch = (ms: number) =>
    setTimeout(() => silence.abort(new Error(`nothing came for ${Math.round(ms / 1000)} s`)), ms)
  let timer = watch(firstByteMs)
  const alive = () => {
    clearTimeout(timer)
    timer = watch(stallMs)
  }
  try {
    const answer = await fetch(url, { signal: either })
    alive()
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`)
    return await read(answer, alive)
  } catch (error) {
    signal?.throwIfAborted()
    throw new Error(`${url}: ${causeOf(error)}`)
  } finally {
    clearTimeout(timer)
  }
}

/** fetch says "fetch failed"; what failed is in its cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

interface Watcher {
  readonly alive: () => void
  readonly note: ((state: string) => void) | undefined
}

/** Writes the body to `to` and answers with its SHA-256. */
async function save(answer: Response, to: string, { alive, note }: Watcher): Promise<string> {
  if (answer.body === null) throw new Error('an answer without a body')
  const total = Number(answer.headers.get('content-length') ?? 0)
  const hash = createHash('sha256')
  let received = 0
  const watched = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      alive()
      hash.update(chunk)
      received += chunk.length
      note?.(total === 0 ? megabytes(received) : `${megabytes(received)} of ${megabytes(total)}`)
      done(null, chunk)
    },
  })
  await pipeline(Readable.fromWeb(answer.body), watched, createWriteStream(to))
  return hash.digest('hex')
}
