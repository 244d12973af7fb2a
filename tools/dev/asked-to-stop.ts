/**
 * Knows when somebody wants `make dev` to end: Ctrl-C, `kill`, a closed terminal, and make's own end.
 *
 * make waits for its recipe: signalled alone, it passes on SIGTERM and nothing else, and killed it leaves the recipe running. So where make
 * is the parent, its end is a wish too, and so is a SIGINT or SIGHUP that it has taken: it then puts that signal's handler back to the
 * system's, which /proc shows.
 */
import { readFileSync } from 'node:fs'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const LOOK_MS = 500

/** Calls `onWish` each time, with the reason; a second wish means "at once". */
export function whenAskedToStop(onWish: (reason: string) => void): void {
  let asked = false
  const ask = (reason: string) => {
    asked = true
    onWish(reason)
  }
  for (const signal of signals) process.on(signal, () => ask(signal))

  const make = process.ppid
  if (!isMake(make)) return
  const handled = handledSignals(make)
  const timer = setInterval(() => {
    const now = handledSignals(make)
    if (process.ppid === make && now === handled) return
    clearInterval(timer)
    // A Ctrl-C reaches make and us alike, and is one wish.
    if (!asked) ask(process.ppid === make ? 'a signal to make' : 'the end of make')
  }, LOOK_MS)
  timer.unref()
}

function isMake(pid: number): boolean {
  try {
    return /^g?make$/.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
  } catch {
    return false // no /proc: Ctrl-C and SIGTERM still arrive
  }
}

/** proc(5), SigCgt: the mask of the signals that the process handles itself. */
function handledSignals(pid: number): string | undefined {
  try {
    return /^SigCgt:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}
