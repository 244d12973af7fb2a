import { describe, expect, it } from 'vitest'
import { negotiation } from './negotiation.ts'

describe('negotiation', () => {
  const korean = negotiation('ko')
  const english = negotiation('en')

  it('speaks the default to those who do not say, or ask for neither language', () => {
    for (const header of [undefined, '', 'fr', 'de-DE, fr;q=0.5', ';;;', 'q=1', 'english']) {
      expect(korean(header)).toBe('ko')
      expect(english(header)).toBe('en')
    }
  })

  it('gives English to those who prefer it', () => {
    expect(korean('en')).toBe('en')
    expect(korean('EN')).toBe('en')
    expect(korean('en-US,en;q=0.9,ko;q=0.8')).toBe('en')
    expect(korean('fr, en-GB;q=0.3')).toBe('en')
  })

  it('goes by weight and, among equals, by order', () => {
    expect(korean('en;q=0.5, ko;q=0.6')).toBe('ko')
    expect(korean('en, ko')).toBe('en')
    expect(english('ko, en')).toBe('ko')
    expect(korean('en;q=1.0, ko;q=1')).toBe('en')
  })

  it('lets the language itself speak before its regions, and both before the star', () => {
    expect(korean('en-US;q=0.1, en;q=0.9, ko;q=0.5')).toBe('en')
    expect(korean('*, en;q=0.1')).toBe('ko')
    expect(english('*')).toBe('en')
    expect(korean('*')).toBe('ko')
  })

  it('avoids what is weighed with nothing', () => {
    expect(korean('ko;q=0')).toBe('en')
    expect(english('en;q=0, *')).toBe('ko')
    expect(korean('ko;q=0, en;q=0')).toBe('ko')
  })

  it('takes a weight that makes no sense for none', () => {
    expect(korean('en;q=high')).toBe('en')
    expect(korean('en;q=7, ko;q=0.1')).toBe('en')
  })
})
