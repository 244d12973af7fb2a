/**
 * Keeps the inventory in a file, a line a change, so that the simulated cloud finds its instances again after it was
 * itself stopped or killed. A line is handed to the operating system before the call is answered; a half-written
 * last line is left out on reading. Opening rewrites the file to what is still true.
 */
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { type InventoryRecord, inventory } from './inventory.ts'

export interface Journal {
  readonly records: readonly InventoryRecord[]
  readonly onRecord: (record: InventoryRecord) => void
  close(): void
}

export function openJournal(path: string): Journal {
  const records = compacted(existsSync(path) ? linesOf(readFileSync(path, 'utf8')) : [])
  writeFileSync(`${path}.new`, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  renameSync(`${path}.new`, path)
  const file = openSync(path, 'a')
  return {
    records,
    onRecord: (record) => void writeSync(file, `${JSON.stringify(record)}\n`),
    close: () => closeSync(file),
  }
}

function linesOf(text: string): InventoryRecord[] {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1)
  return complete
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as InventoryRecord)
}

function compacted(records: readonly InventoryRecord[]): InventoryRecord[] {
  const store = inventory({ records })
  const tokens = new Map(records.filter((r) => r.kind === 'token').map((r) => [r.token.key, r]))
  return [
    ...[...store.machines()].map((machine) => ({ kind: 'machine' as const, machine })),
    ...[...tokens.values()].filter(({ token }) => store.token(token.key) !== undefined),
  ]
}
