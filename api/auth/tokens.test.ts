import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { SigningKeys } from './signing-keys.ts'
import { tokens } from './tokens.ts'

const claims = { userUid: 'u-1', sessionName: 's-1', expiresAt: 1_000_000 }

async function keyRing() {
  const pairs = new Map<string, GenerateKeyPairResult>()
  const listeners: (() => void)[] = []
  let newest = ''
  async function add(kid: string) {
    pairs.set(kid, await generateKeyPair('ES256', { extractable: true }))
    newest = kid
    for (const listener of listeners) listener()
  }
  await add('first')
  const ring: SigningKeys = {
    signer: () => ({ kid: newest, key: pair(newest).privateKey }),
    verifier: async (kid) => pairs.get(kid)?.publicKey,
    publicKeys: () => [],
    refresh: async () => undefined,
    onChange: (listener) => void listeners.push(listener),
  }
  function pair(kid: string): GenerateKeyPairResult {
    const found = pairs.get(kid)
    if (found === undefined) throw new Error(kid)
    return found
  }
  return {
    ring,
    add,
    pair,
    drop(kid: string) {
      pairs.delete(kid)
      for (const listener of listeners) void listener()
    },
  }
}

describe('tokens', () => {
  it('carry who, by which session, until when', async () => {
    const { ring } = await keyRing()
    const issued = tokens(ring, () => 0)

    expect(await issued.verify(await issued.issue(claims))).toEqual(claims)
  })

  it('are remembered once they were verified, until they expire', async () => {
    const { ring } = await keyRing()
    let now = 0
    const issued = tokens(ring, () => now)
    const token = await issued.issue(claims)

    expect(issued.remembered(token)).toBeUndefined()
    await issued.verify(token)
    expect(issued.remembered(token)).toEqual(claims)
    now = 1_000_000
    expect(issued.remembered(token)).toBeUndefined()
    expect(await issued.verify(token)).toBeUndefined()
  })

  it('outlive a rotation of the keys, and die with their key', async () => {
    const { ring, add, drop } = await keyRing()
    const issued = tokens(ring, () => 0)
    const token = await issued.issue(claims)

    await add('second')
    expect(await issued.verify(token)).toEqual(claims)
    drop('first')
    expect(issued.remembered(token)).toBeUndefined()
    expect(await issued.verify(token)).toBeUndefined()
  })

  it('are no good when anything about them was changed', async () => {
    const { ring, pair } = await keyRing()
    const issued = tokens(ring, () => 0)
    const token = await issued.issue(claims)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const stranger = await generateKeyPair('ES256')
    const publicJwk = await exportJWK(pair('first').publicKey)
    const forged = {
      'another signature': `${header}.${payload}.${signature.split('').reverse().join('')}`,
      'no signature': `${header}.${payload}.`,
      'no algorithm': `${Buffer.from('{"alg":"none","kid":"first"}').toString('base64url')}.${payload}.`,
      'the public key as a shared secret': await new SignJWT()
        .setProtectedHeader({ alg: 'HS256', kid: 'first' })
        .setSubject('u-1')
        .setJti('s-1')
        .setExpirationTime(1_000)
        .sign(Buffer.from(JSON.stringify(publicJwk))),
      'a key of their own': await new SignJWT()
        .setProtectedHeader({ alg: 'ES256', kid: 'first', jwk: await exportJWK(stranger.publicKey) })
        .setIssuer('skyclust')
        .setSubject('u-1')
        .setJti('s-1')
        .setExpirationTime(1_000)
        .sign(stranger.privateKey),
      'another issuer': await new SignJWT()
        .setProtectedHeader({ alg: 'ES256', kid: 'first' })
        .setIssuer('elsewhere')
        .setSubject('u-1')
        .setJti('s-1')
        .setExpirationTime(1_000)
        .sign(pair('first').privateKey),
      'no end': await new SignJWT()
        .setProtectedHeader({ alg: 'ES256', kid: 'first' })
        .setIssuer('skyclust')
        .setSubject('u-1')
        .setJti('s-1')
        .sign(pair('first').privateKey),
      'too long': `${token}${'A'.repeat(4000)}`,
      nothing: '',
      dots: '..',
    }

    for (const [how, bad] of Object.entries(forged)) expect(await issued.verify(bad), how).toBeUndefined()
  })
})
