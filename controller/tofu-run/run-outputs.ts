/**
 * The outputs of a state that are not sensitive, as the status shows them: text as it is, anything else as JSON. Bounded, as the schema is.
 */
const most = 100
const longest = 4096

export function visibleOutputs(state: Uint8Array | undefined): Record<string, string> {
  const outputs = outputsOf(state)
  return Object.fromEntries(
    Object.entries(outputs)
      .filter(([, output]) => output.sensitive !== true)
      .slice(0, most)
      .map(([name, { value }]) => [name, shown(value)]),
  )
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`
}

function outputsOf(state: Uint8Array | undefined): Record<string, { value: unknown; sensitive?: boolean }> {
  if (state === undefined) return {}
  try {
    const { outputs } = JSON.parse(Buffer.from(state).toString('utf8')) as { outputs?: never }
    return outputs ?? {}
  } catch {
    return {} // the configuration's own `encryption` block sealed it
  }
}
