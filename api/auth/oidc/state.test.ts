import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { type Beginner, STATE_LIFE_MS, states } from './state.ts'

const key = new Uint8Array(32).fill(7)
const program: Beginner = { kind: 'program' }

function installation(options: { now?: () => number; key?: Uint8Array } = {}) {
  return states({ key: async () => options.key ?? key, now: options.now ?? (() => 1_700_000_000_000) })
}

describe('states', () => {
  it('give back on any replica the secrets they were made with, which are nowhere in them', async () => {
    const login = { provider: 'corp', beginner: program }
    const made = await installation().make(login)
    const opened = await installation().open(made.state, login)

    expect(opened).toEqual({ id: made.id, nonce: made.nonce, codeVerifier: made.codeVerifier })
    const shown = Buffer.from(made.state.split('.')[1] ?? '', 'base64url').toString()
    expect(shown).not.toContain(made.nonce)
    expect(shown).not.toContain(made.codeVerifier)
    expect(made.codeVerifier).toMatch(/^[\w-]{43}$/)
    expect(made.nonce).not.toBe(made.codeVerifier)
  })

  it('are good for ten minutes', async () => {
    let now = 1_700_000_000_000
    const replica = installation({ now: () => now })
    const login = { provider: 'corp', beginner: program }
    const { state } = await replica.make(login)

    now += STATE_LIFE_MS - 1_000
    expect(await replica.open(state, login)).toMatchObject({ id: expect.any(String) })
    now += 2_000
    expect(await replica.open(state, login)).toBe('invalid')
  })

  it('are good at their own provider, and from their own installation', async () => {
    const { state } = await installation().make({ provider: 'corp', beginner: program })
    const elsewhere = installation({ key: new Uint8Array(32).fill(8) })

    expect(await installation().open(state, { provider: 'other', beginner: program })).toBe('invalid')
    expect(await elsewhere.open(state, { provider: 'corp', beginner: program })).toBe('invalid')
  })

  it('are good only from whoever began the login', async () => {
    const beginners: Beginner[] = [
      program,
      { kind: 'user', uid: 'alice' },
      { kind: 'user', uid: 'bob' },
      { kind: 'browser', secret: 'alice' },
      { kind: 'browser', secret: 'bob' },
    ]
    for (const begun of beginners) {
      const { state } = await installation().make({ provider: 'corp', beginner: begun })
      for (const finished of beginners) {
        const opened = await installation().open(state, { provider: 'corp', beginner: finished })
        if (begun === finished) expect(opened).toMatchObject({ id: expect.any(String) })
        else expect(opened).toBe('stranger')
      }
    }
  })

  it('are no good when anything about them was changed', async () => {
    const login = { provider: 'corp', beginner: program }
    const { state } = await installation().make(login)
    const [header = '', payload = '', signature = ''] = state.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const later = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 1 })).toString('base64url')
    const unsigned = Buffer.from('{"alg":"none","typ":"oidc-state+jwt"}').toString('base64url')
    const otherType = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(key)

    const bad = [
      `${header}.${later}.${signature}`,
      `${unsigned}.${payload}.`,
      otherType,
      '',
      'x',
      '..',
      'x'.repeat(5_000),
    ]
    for (const forged of bad) expect(await installation().open(forged, login)).toBe('invalid')
  })
})
