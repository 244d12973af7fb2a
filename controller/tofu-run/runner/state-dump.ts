/**
 * When tofu can save the state neither to us nor to a file (the disk is full), its last resort is to print it, secrets
 * and all, as one JSON object: on one line, or indented, as the version pleases. That must not be seen in the output, and must not be lost either: it is taken out of the
 * stream and handed over.
 *
 * What looks like the beginning of an object is held back until it ends; what turns out to be no state is given out unchanged.
 */
export interface StateDumpCatcher {
  push(text: string): string
  end(): string
  /** The last state that was printed. */
  caught(): string | undefined
}

/** More than any state that fits the cluster; beyond it, text flows on. */
const mostHeld = 128 * 1024 * 1024

export function stateDumpCatcher(): StateDumpCatcher {
  let line = ''
  let object: string[] | undefined
  let held = 0
  let state: string | undefined

  function take(complete: string): string {
    if (object === undefined) {
      if (complete.startsWith('{"')) return judged(complete)
      if (complete !== '{\n') return complete
      object = [complete]
      held = complete.length
      return ''
    }
    object.push(complete)
    held += complete.length
    if (complete.trimEnd() === '}' && !complete.startsWith(' ')) return release()
    return held > mostHeld ? release() : ''
  }

  function release(): string {
    const text = (object ?? []).join('')
    object = undefined
    return judged(text)
  }

  function judged(text: string): string {
    if (!isState(text)) return text
    state = text
    return `(the state, ${text.length} bytes, is kept out of the output and saved)\n`
  }

  return {
    push(text) {
      let shown = ''
      let from = 0
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
        shown += take(line + text.slice(from, end + 1))
        line = ''
        from = end + 1
      }
      line += text.slice(from)
      return shown
    },
    end() {
      const rest = (line === '' ? '' : take(line)) + (object === undefined ? '' : release())
      line = ''
      return rest
    },
    caught: () => state,
  }
}

export function isState(text: string): boolean {
  try {
    const parsed = JSON.parse(text) as Record<string, unknown>
    return 'serial' in parsed && 'lineage' in parsed
  } catch {
    return false
  }
}
