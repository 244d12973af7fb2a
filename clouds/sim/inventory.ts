/**
 * Every simulated instance and client token, and nothing else: no faults, no metering, no sockets. Terminated
 * instances fade after a while, as EC2's do, and tokens after theirs. What changed is told to `onRecord`, so that a
 * journal can keep it; `restore` takes such records back.
 */
import { latest, type Machine, stateAt } from './machine.ts'

export interface TokenEntry {
  readonly key: string
  readonly machineId: string
  readonly createdAt: number
  /** Of the create's parameters: the same token with others is a mistake. */
  readonly fingerprint: string
}

export type InventoryRecord =
  | { readonly kind: 'machine'; readonly machine: Machine }
  | { readonly kind: 'token'; readonly token: TokenEntry }
  | { readonly kind: 'forgotten'; readonly id: string }
  | { readonly kind: 'reset' }

export interface Inventory {
  readonly size: number
  machine(id: string): Machine | undefined
  /** In the order of launch. */
  machines(): Iterable<Machine>
  put(machine: Machine): void
  token(key: string): TokenEntry | undefined
  putToken(entry: TokenEntry): void
  nextSequence(): number
  /** Lets go of what was terminated before one moment and of tokens made before the other. */
  fade(terminatedBefore: number, tokensBefore: number): void
  clear(): void
}

export interface InventoryOptions {
  readonly records?: Iterable<InventoryRecord>
  readonly onRecord?: (record: InventoryRecord) => void
}

export function inventory({ records = [], onRecord }: InventoryOptions = {}): Inventory {
  const machines = new Map<string, Machine>()
  const tokens = new Map<string, TokenEntry>()
  /** Ids in the order in which they were last seen terminating, to fade them without looking at the living. */
  const leaving = new Set<string>()
  let sequence = 0

  function take(record: InventoryRecord): void {
    switch (record.kind) {
      case 'machine':
        machines.set(record.machine.id, record.machine)
        sequence = Math.max(sequence, record.machine.sequence)
        if (latest(record.machine).state.startsWith('terminat')) leaving.add(record.machine.id)
        break
      case 'token':
        tokens.set(record.token.key, record.token)
        break
      case 'forgotten':
        machines.delete(record.id)
        leaving.delete(record.id)
        break
      case 'reset':
        machines.clear()
        tokens.clear()
        leaving.clear()
    }
  }

  function keep(record: InventoryRecord): void {
    take(record)
    onRecord?.(record)
  }

  for (const record of records) take(record)

  return {
    get size() {
      return machines.size
    },
    machine: (id) => machines.get(id),
    machines: () => machines.values(),
    put: (machine) => keep({ kind: 'machine', machine }),
    token: (key) => tokens.get(key),
    putToken: (token) => keep({ kind: 'token', token }),
    nextSequence: () => ++sequence,
    fade(terminatedBefore, tokensBefore) {
      for (const id of leaving) {
        const machine = machines.get(id)
        if (machine && goneSince(machine) > terminatedBefore) break
        keep({ kind: 'forgotten', id })
      }
      for (const [key, entry] of tokens) {
        if (entry.createdAt > tokensBefore) break
        tokens.delete(key)
      }
    },
    clear: () => keep({ kind: 'reset' }),
  }
}

function goneSince(machine: Machine): number {
  const version = latest(machine)
  if (version.next) return version.next.at
  return stateAt(version, version.writtenAt) === 'terminated' ? version.writtenAt : Number.POSITIVE_INFINITY
}
