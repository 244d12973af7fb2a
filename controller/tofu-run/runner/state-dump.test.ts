import { describe, expect, it } from 'vitest'
import { stateDumpCatcher } from './state-dump.ts'

const document = { version: 4, serial: 7, lineage: 'L', outputs: { password: 'hunter2' } }

function through(pieces: readonly string[]) {
  const catcher = stateDumpCatcher()
  const shown = pieces.map((piece) => catcher.push(piece)).join('') + catcher.end()
  return { shown, caught: catcher.caught() }
}

describe('stateDumpCatcher', () => {
  it.each([
    ['on one line, as tofu 1.12 does', JSON.stringify(document)],
    ['indented', JSON.stringify(document, null, 2)],
  ])('takes a state that tofu printed %s out of the output, and keeps it', (_how, state) => {
    for (const size of [1, 7, 10_000]) {
      const text = `Error saving state\n${state}\n\nRead this.\n`
      const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []
      const { shown, caught } = through(pieces)
      expect(shown).not.toContain('hunter2')
      expect(shown).toMatch(/^Error saving state\n\(the state, .*\)\n\nRead this\.\n$/)
      expect(JSON.parse(caught ?? '')).toEqual(JSON.parse(state))
    }
  })

  it('leaves other text alone, objects too, and an object that never ends', () => {
    for (const text of [
      'one\ntwo',
      '{\n  "a": 1\n}\nafter\n',
      '  + {\n    }\n',
      '{\n never ends\n',
      '{"a": 1}\n',
      '{"serial": 1, "lin',
    ]) {
      expect(through([text])).toEqual({ shown: text, caught: undefined })
    }
  })
})
