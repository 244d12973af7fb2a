import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { errorClasses } from '../../clouds/error-classes.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/vm-states.md'), 'utf8')
const source = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')
const deciding = readdirSync(import.meta.dirname).filter((name) => /^decide[\w-]*\.ts$/.test(name))

/** First groups of all matches, each once. */
const found = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))]

describe('docs/vm-states.md', () => {
  it('names every action that there is', () => {
    const actions = found(source('action.ts'), /readonly kind: '(\w+)'/g)
    expect(actions.length).toBeGreaterThan(15)
    expect(actions.filter((action) => !new RegExp(`\\b${action}\\b`).test(page))).toEqual([])
  })

  it('explains every reason that a decision can give', () => {
    const reasons = found(deciding.map(source).join('\n'), /(?:progressing|stalled|settled|refused)\(\s*'([A-Z]\w+)'/g)
    expect(reasons.length).toBeGreaterThan(15)
    const classes = Object.values(errorClasses).map(({ reason }) => reason)
    expect([...reasons, ...classes].filter((reason) => !page.includes(`\`${reason}\``))).toEqual([])
  })
})
