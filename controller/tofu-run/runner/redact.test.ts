import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { redacted, redactor } from './redact.ts'

function through(secrets: readonly string[], pieces: readonly string[]): string {
  const stream = redactor(secrets)
  return pieces.map((piece) => stream.push(piece)).join('') + stream.end()
}

describe('redactor', () => {
  it('blanks a secret out and leaves the rest as it was', () => {
    expect(through(['hunter2hunter2'], ['the key is hunter2hunter2, keep it'])).toBe(`the key is ${redacted}, keep it`)
  })

  it('finds a secret however it was cut into pieces', () => {
    const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY"EXAMPLE'
    const cuts = fc.array(fc.nat({ max: 80 }), { maxLength: 12 })
    fc.assert(
      fc.property(cuts, fc.string(), fc.string(), (places, before, after) => {
        const text = `${before}${secret}${after}`
        const sorted = [0, ...places.map((place) => Math.min(place, text.length)), text.length].sort((a, b) => a - b)
        const pieces = sorted.slice(1).map((to, index) => text.slice(sorted[index], to))
        expect(through([secret], pieces)).not.toContain(secret)
      }),
    )
  })

  it('gives out everything that holds no secret, unchanged and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'é') })), (pieces) => {
        expect(through(['supersecret', 'another-one'], pieces)).toBe(pieces.join(''))
      }),
    )
  })

  it('knows base64 at every alignment, JSON escapes and percent-encoding', () => {
    const secret = 'pa"ss\\word/with+signs&more'
    for (const lead of ['', 'a', 'ab', 'abc']) {
      const encoded = Buffer.from(`${lead}${secret}tail`).toString('base64')
      const middle = Buffer.from(secret).toString('base64').slice(4, 20)
      const shown = through([secret], [encoded])
      expect(shown).toContain(redacted)
      if (lead === '' || lead === 'abc') expect(shown).not.toContain(middle)
    }
    expect(through([secret], [JSON.stringify({ secret })])).toBe(`{"secret":"${redacted}"}`)
    expect(through([secret], [`?p=${encodeURIComponent(secret)}`])).toBe(`?p=${redacted}`)
  })

  it('takes each line of a key file for a secret of its own', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n'
    const shown = through([key], ['> MIIEvQIBADANBgkqhkiG9w0B\n> AQEFAASCBKcwggSjAgEAAoIB\n'])
    expect(shown).toBe(`> ${redacted}\n> ${redacted}\n`)
  })

  it('finds secrets that overlap and begin like each other', () => {
    const secrets = ['abab', 'ababcd', 'babc', 'cdab']
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', ' ') })), (pieces) => {
        const shown = through(secrets, pieces)
        for (const secret of secrets) expect(shown).not.toContain(secret)
      }),
    )
  })

  it('holds back nothing but what may be the beginning of a secret', () => {
    const stream = redactor(['0123456789'.repeat(100)])
    expect(stream.push('up and running\n')).toBe('up and running\n')
    expect(stream.push('code 0123456')).toBe('code ')
    expect(stream.push('8\n')).toBe('01234568\n')
  })

  it('blanks out a PIN', () => {
    expect(through(['4711'], ['the pin is 4711.'])).toBe(`the pin is ${redacted}.`)
  })

  it('blanks out a secret of any length, in every form, however it was cut into pieces', () => {
    const long = Array.from({ length: 9_000 }, (_, index) => `${(index * 7_919) % 9_973}-word `)
      .join('')
      .trim()
    const forms = [long, Buffer.from(long).toString('base64'), encodeURIComponent(long)]
    for (const size of [1, 1_000, 65_536]) {
      const redact = redactor([long])
      const text = `before ${forms.join(' between ')} after`
      let shown = ''
      for (let from = 0; from < text.length; from += size) shown += redact.push(text.slice(from, from + size))
      shown += redact.end()
      // Of base64, what depends on the neighbours as well is no part of the secret.
      expect(shown.replaceAll('(redacted)', '')).toMatch(/^before {2}between \S{0,2} between {2}after$/)
    }
  })

  it('finds each line of a secret of a megabyte that has thousands of them', () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line number ${index} of a key that is long`)
    const redact = redactor([lines.join('\n')])
    expect(redact.push(`it has ${lines[19_999]}.\n`) + redact.end()).toBe('it has (redacted).\n')
  })

  it('leaves words alone that are too short to be secrets', () => {
    expect(through(['eu', ''], ['the eu region'])).toBe('the eu region')
  })
})
