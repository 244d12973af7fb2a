/**
 * Serial and lineage of a state file without parsing all of it: thirty megabytes of JSON would hold up everything else
 * in the process for a good part of a second. OpenTofu writes both before the first resource, and in a state that
 * the user's own `encryption` block sealed, beside the sealed data.
 */
export interface StateMeta {
  readonly serial: number
  readonly lineage: string
}

const looksAtBytes = 4096

export function stateMeta(state: Uint8Array): StateMeta {
  const bytes = Buffer.from(state.buffer, state.byteOffset, state.byteLength)
  const ends = `${bytes.subarray(0, looksAtBytes)}\n${bytes.subarray(Math.max(looksAtBytes, bytes.length - looksAtBytes))}`
  return {
    serial: Number(/"serial":\s*(\d+)/.exec(ends)?.[1] ?? 0),
    lineage: /"lineage":\s*"([^"]*)"/.exec(ends)?.[1] ?? '',
  }
}

/** A state file of OpenTofu or Terraform, whole: what an import accepts. */
export function parseState(
  state: Uint8Array,
): (StateMeta & { readonly document: Record<string, unknown> }) | undefined {
  try {
    const document = JSON.parse(Buffer.from(state).toString('utf8')) as Record<string, unknown>
    const { version, serial, lineage } = document
    if (version !== 4 || typeof serial !== 'number' || typeof lineage !== 'string') return undefined
    return { serial, lineage, document }
  } catch {
    return undefined
  }
}
