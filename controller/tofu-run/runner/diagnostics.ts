/**
 * What of tofu's output goes into `error`: its own diagnostics, which name file and line, from the first one on.
 */
import { maxErrorLength } from '../protocol.ts'

const beginsOne = /^Error: /m

export function hasDiagnostics(output: string): boolean {
  return beginsOne.test(output)
}

export function diagnosticsOf(output: string): string {
  const lines = output.split('\n')
  const first = lines.findIndex((line) => beginsOne.test(line))
  const text = lines
    .slice(first === -1 ? Math.max(0, lines.length - 20) : first)
    .join('\n')
    .trim()
  return bounded(text)
}

/** Cut at the end, and says so. */
export function bounded(text: string): string {
  const more = '\n… (the whole of it is in the output)'
  return text.length <= maxErrorLength ? text : text.slice(0, maxErrorLength - more.length) + more
}
