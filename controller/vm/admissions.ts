/**
 * Who may create next. An account takes only so many creates a second, and ten thousand VMs may want one: each asks
 * once, is let through in the order of asking, and meanwhile holds no worker. What is granted is used up by one
 * create; without one it is kept until the VM is forgotten.
 */
import type { Admission } from './situation.ts'

export interface Admissions {
  stateOf(uid: string): Admission
  /** Asks for a place; `wake` is called when it is granted. */
  ask(uid: string, admit: (signal: AbortSignal) => Promise<void>, wake: () => void): void
  /** It was used, or is not needed any more. */
  close(uid: string): void
}

interface Asked {
  readonly admission: Admission
  readonly giveUp: () => void
}

const notAsked: Admission = { kind: 'notAsked' }

/** @param now milliseconds since the epoch */
export function admissions(now: () => number): Admissions {
  const asked = new Map<string, Asked>()
  return {
    stateOf: (uid) => asked.get(uid)?.admission ?? notAsked,
    ask(uid, admit, wake) {
      if (asked.has(uid)) return
      const leaving = new AbortController()
      const giveUp = () => leaving.abort(new Error('not needed any more'))
      asked.set(uid, { admission: { kind: 'queued', since: now() }, giveUp })
      admit(leaving.signal).then(
        () => {
          if (leaving.signal.aborted) return
          asked.set(uid, { admission: { kind: 'granted' }, giveUp })
          wake()
        },
        () => void (leaving.signal.aborted || asked.delete(uid)),
      )
    },
    close(uid) {
      asked.get(uid)?.giveUp()
      asked.delete(uid)
    },
  }
}
