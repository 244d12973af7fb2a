/**
 * What a run prints, as server-sent events while it is printed: `output` (what is new, as JSON text), `status` when that changes, `end` when the
 * run is over. Whoever may not read the run any more hears no more of it.
 */
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Piece } from '../shapes/run-output.ts'
import { eventBytes, eventStream, heartbeatBytes } from './event-stream.ts'

const LOOK_EVERY_MS = 1_000
const HEARTBEAT_EVERY_LOOKS = 15

export function followOutput(options: {
  readonly headers: Readonly<Record<string, string>>
  readonly pieces: () => Promise<readonly Piece[]>
  readonly run: () => TofuRun | undefined
  /** Throws when the caller may not read it any more. */
  readonly stillAllowed: () => Promise<void>
  readonly signal: AbortSignal
}): Response {
  const { headers, pieces, run, stillAllowed, signal } = options
  let gone = false
  const { sink, body } = eventStream({
    onReady: () => undefined,
    onGone: () => {
      gone = true
    },
  })
  /** How much of each piece was sent: the last one grows, and the oldest ones may be left out. */
  const sent = new Map<string, number>()
  let phase = ''

  /** Gives whether there is more to come. */
  async function look(): Promise<boolean> {
    await stillAllowed()
    const current = run()
    for (const { phase: of, index, text } of await pieces()) {
      const key = `${of}/${index}`
      const before = sent.get(key) ?? 0
      if (text.length > before) sink.write(eventBytes('output', JSON.stringify(text.slice(before))))
      sent.set(key, text.length)
    }
    if (current?.status?.phase !== undefined && current.status.phase !== phase) {
      phase = current.status.phase
      sink.write(eventBytes('status', JSON.stringify({ phase })))
    }
    return current !== undefined && current.status?.completedAt === undefined
  }

  async function follow(): Promise<void> {
    for (let looks = 1; !gone && !signal.aborted; looks++) {
      if (sink.ready() && !(await look())) break
      if (looks % HEARTBEAT_EVERY_LOOKS === 0) sink.write(heartbeatBytes(undefined))
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
    if (!gone) sink.write(eventBytes('end', JSON.stringify({ phase })))
  }

  follow()
    .catch(() => undefined) // what went wrong ends the stream; the reader comes back and is told
    .finally(() => {
      if (!gone) sink.end()
    })
  return new Response(body, {
    headers: {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
    },
  })
}
