/**
 * Who may create next. An account takes only so many creates a second, and ten thousand VMs may want one: each asks
 * once, and meanwhile holds no worker and next to no memory. There is a line for each cloud, that is for each Credential; it is let
 * through in the order of asking, and the lines of an account take turns at its bucket. What is granted is used up by one
 * create; without one it is kept until the VM is forgotten.
 */
import type { MeteredCloud } from '../../clouds/metered-cloud.ts'
import type { Admission } from './situation.ts'

export interface Admissions {
  stateOf(uid: string): Admission
  /** Asks for a place; `wake` is called when it is granted. */
  ask(uid: string, cloud: Admitting, wake: () => void): void
  /** It was used, or is not needed any more. */
  close(uid: string): void
}

export type Admitting = Pick<MeteredCloud, 'admitCreate'>

interface Line {
  /** What wakes whoever waits, by UID, in the order of asking. */
  readonly waiting: Map<string, () => void>
  /** Aborted when nobody waits any more. */
  leaving: AbortController
}

interface Asked {
  readonly admission: Admission
  readonly line: Line
}

const notAsked: Admission = { kind: 'notAsked' }
const granted: Admission = { kind: 'granted' }

/** @param now milliseconds since the epoch */
export function admissions(now: () => number): Admissions {
  const asked = new Map<string, Asked>()
  /** Those in which somebody waits. */
  const lines = new Map<Admitting, Line>()

  async function serve(cloud: Admitting, line: Line): Promise<void> {
    while (line.waiting.size > 0) {
      line.leaving = new AbortController()
      const isOpen = await cloud.admitCreate(line.leaving.signal).then(
        () => true,
        () => false, // all have left, and others may have come since
      )
      const [first] = line.waiting
      if (!isOpen || !first) continue
      const [uid, wake] = first
      line.waiting.delete(uid)
      asked.set(uid, { admission: granted, line })
      wake()
    }
    lines.delete(cloud)
  }

  function open(cloud: Admitting): Line {
    const line: Line = { waiting: new Map(), leaving: new AbortController() }
    lines.set(cloud, line)
    return line
  }

  return {
    stateOf: (uid) => asked.get(uid)?.admission ?? notAsked,
    ask(uid, cloud, wake) {
      if (asked.has(uid)) return
      const known = lines.get(cloud)
      const line = known ?? open(cloud)
      asked.set(uid, { admission: { kind: 'queued', since: now() }, line })
      line.waiting.set(uid, wake)
      if (!known) void serve(cloud, line)
    },
    close(uid) {
      const { line } = asked.get(uid) ?? {}
      asked.delete(uid)
      if (line?.waiting.delete(uid) && line.waiting.size === 0) line.leaving.abort(new Error('nobody waits any more'))
    },
  }
}
