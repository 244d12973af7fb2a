/**
 * What a run prints, while it is printed: as text, or as the server-sent events `output` (what is new, as JSON text), `status` when that changes,
 * and `end` when the run is over. Whoever may not read the run any more hears no more of it.
 */
import type { TofuRun } from '../../crds/tofu-run.ts'
import { GAP, type Piece } from '../shapes/run-output.ts'
import { eventBytes, eventStream, heartbeatBytes, type Sink } from './event-stream.ts'

const LOOK_EVERY_MS = 1_000
const HEARTBEAT_EVERY_LOOKS = 15

export interface FollowOptions {
  readonly as: 'text' | 'events'
  readonly headers: Readonly<Record<string, string>>
  readonly pieces: () => Promise<readonly Piece[]>
  readonly run: () => TofuRun | undefined
  /** Throws when the caller may not read it any more. */
  readonly stillAllowed: () => Promise<void>
  readonly signal: AbortSignal
}

export function followOutput({ as, headers, pieces, run, stillAllowed, signal }: FollowOptions): Response {
  let gone = false
  const { sink, body } = eventStream({
    onReady: () => undefined,
    onGone: () => {
      gone = true
    },
  })
  const tell = as === 'events' ? asEvents(sink) : asText(sink)
  const news = newPartsOf()
  let phase = ''

  /** Gives whether there is more to come. */
  async function look(): Promise<boolean> {
    await stillAllowed()
    const current = run()
    const text = news(await pieces())
    if (text !== '') tell.output(text)
    if (current?.status?.phase !== undefined && current.status.phase !== phase) {
      phase = current.status.phase
      tell.status(phase)
    }
    return current !== undefined && current.status?.completedAt === undefined
  }

  async function follow(): Promise<void> {
    for (let looks = 1; !gone && !signal.aborted; looks++) {
      if (sink.ready() && !(await look())) return gone ? undefined : tell.end(phase)
      if (looks % HEARTBEAT_EVERY_LOOKS === 0) tell.alive()
      await pause(LOOK_EVERY_MS, signal)
    }
  }

  follow()
    .catch(() => undefined) // what went wrong ends the stream; the reader comes back and is told
    .finally(() => {
      if (!gone) sink.end()
    })
  const type = as === 'events' ? 'text/event-stream; charset=utf-8' : 'text/plain; charset=utf-8'
  return new Response(body, {
    headers: { ...headers, 'content-type': type, 'cache-control': 'no-store, no-transform' },
  })
}

function asEvents(sink: Sink) {
  return {
    output: (text: string) => sink.write(eventBytes('output', JSON.stringify(text))),
    status: (phase: string) => sink.write(eventBytes('status', JSON.stringify({ phase }))),
    alive: () => sink.write(heartbeatBytes(undefined)),
    end: (phase: string) => sink.write(eventBytes('end', JSON.stringify({ phase }))),
  }
}

function asText(sink: Sink): ReturnType<typeof asEvents> {
  const encoder = new TextEncoder()
  return {
    output: (text) => sink.write(encoder.encode(text)),
    status: () => undefined,
    alive: () => undefined,
    end: () => undefined,
  }
}

/** Gives what was not given before: the last piece grows, and old ones may be left out by and by. */
function newPartsOf(): (pieces: readonly Piece[]) => string {
  const given = new Map<string, number>()
  let last = ''
  return (pieces) => {
    let text = ''
    for (const { phase, index, text: whole, afterGap } of pieces) {
      const key = `${phase}/${index}`
      const before = given.get(key)
      if (before === undefined && afterGap && last !== `${phase}/${index - 1}`) text += GAP
      text += whole.slice(before ?? 0)
      given.set(key, whole.length)
      if (before === undefined) last = key
    }
    return text
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
