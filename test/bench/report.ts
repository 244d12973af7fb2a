/**
 * How a benchmark says what it measured: lines for the person who waits, and `results/<name>.json` for the plots.
 *
 * Every figure stands beside what it is measured against, taken in the same run on the same machine, and is
 * judged as their ratio: a bare timing says more of the machine than of the program. Nothing here passes or fails.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'

/** One measured figure. */
export interface Figure {
  readonly label: string
  readonly value: number
  /** `ms`, `s`, `MiB`, `req/s`, `calls`, … */
  readonly unit: string
  /** The peer or the floor, measured in the same run, in the same unit. */
  readonly against?: { readonly label: string; readonly value: number }
  /** What the project set out to reach, in words: `at most 1.5 times`. */
  readonly expected?: string
}

/** Something measured at several sizes. */
export interface Curve {
  readonly label: string
  readonly x: { readonly label: string; readonly values: readonly number[] }
  readonly y: { readonly label: string; readonly unit: string; readonly values: readonly number[] }
}

export interface BenchResult {
  readonly name: string
  /** One sentence: what was compared with what, and under which load. */
  readonly about: string
  readonly figures: readonly Figure[]
  readonly curves?: readonly Curve[]
  /** Results of one name stand beside each other in a table, each a column of it. */
  readonly column?: { readonly of: string; readonly label: string }
}

export interface SavedBenchResult extends BenchResult {
  readonly takenAt: string
  readonly machine: string
}

export const resultsFolder = new URL('./results/', import.meta.url)

/** Prints the result and keeps it for the plots. */
export function report(result: BenchResult): void {
  const saved: SavedBenchResult = {
    ...result,
    takenAt: new Date().toISOString().slice(0, 19).concat('Z'),
    machine: `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`,
  }
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(new URL(`${result.name}.json`, resultsFolder), `${JSON.stringify(saved, null, 2)}\n`)

  console.log(`\n${result.name}: ${result.about}`)
  for (const figure of result.figures) console.log(`  ${describeFigure(figure)}`)
  for (const { label, x, y } of result.curves ?? []) {
    console.log(`  ${label}`)
    x.values.forEach((size, index) => {
      console.log(`    ${String(size).padStart(8)} ${x.label}: ${rounded(y.values[index] ?? Number.NaN)} ${y.unit}`)
    })
  }
}

/** `time to synced: 812 ms (client-node's informer 3,104 ms; ratio 0.26; expected: at most a third)`. */
export function describeFigure({ label, value, unit, against, expected }: Figure): string {
  const notes = [
    against && `${against.label} ${rounded(against.value)} ${unit}; ratio ${rounded(value / against.value)}`,
    expected && `expected: ${expected}`,
  ].filter(Boolean)
  return `${label}: ${rounded(value)} ${unit}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`
}

/** Three significant digits, with thousands separated: what a person compares. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
  return digits.toLocaleString('en-US', { maximumFractionDigits: 6 })
}
