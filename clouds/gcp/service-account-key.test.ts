import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readServiceAccountKey } from './service-account-key.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const good = {
  type: 'service_account',
  project_id: 'my-project-42',
  private_key_id: 'abc',
  private_key: pem,
  client_email: 'vm@my-project-42.iam.gserviceaccount.com',
  token_uri: 'https://oauth2.googleapis.com/token',
  universe_domain: 'googleapis.com',
}
const mine = 'http://127.0.0.1:9000'

function read(changes: object, operatorOrigin?: string) {
  return readServiceAccountKey(JSON.stringify({ ...good, ...changes }), operatorOrigin)
}

describe('a service account key', () => {
  it('says whose it is', () => {
    expect(read({})).toMatchObject({ email: good.client_email, projectID: 'my-project-42', keyId: 'abc' })
  })

  it('may have its line ends spelt out, as a shell leaves them', () => {
    expect(read({ private_key: pem.replaceAll('\n', '\\n') }).privateKey.asymmetricKeyType).toBe('rsa')
  })

  it.each([
    ['text that is no JSON', 'not json', 'is not JSON'],
    ['a list', '[]', 'is not a JSON object'],
    ['no type', JSON.stringify({}), 'has no type "service_account"'],
    ['a user’s credential', JSON.stringify({ ...good, type: 'authorized_user' }), 'is of type "authorized_user"'],
    ['federation', JSON.stringify({ ...good, type: 'external_account' }), 'for the operator to set up'],
    ['no private key', JSON.stringify({ ...good, private_key: '' }), 'lacks private_key'],
    ['a broken private key', JSON.stringify({ ...good, private_key: 'oops' }), 'private_key that cannot be read'],
    ['a project that is none', JSON.stringify({ ...good, project_id: '../other' }), 'no project id'],
    ['a universe of its own', JSON.stringify({ ...good, universe_domain: 'evil.example' }), 'universe_domain'],
    ['a token_uri of its own', JSON.stringify({ ...good, token_uri: 'http://169.254.169.254/x' }), 'token_uri'],
  ])('that is %s is refused, by the field and without its value', (_, text, why) => {
    expect(() => readServiceAccountKey(text, undefined)).toThrow(
      expect.objectContaining({ class: 'unauthorized', code: 'InvalidKey', message: expect.stringContaining(why) }),
    )
    expect(() => readServiceAccountKey(text, undefined)).not.toThrow(/169\.254|evil|oops/)
  })

  it('may name the token endpoint of the operator’s own server, and no other', () => {
    expect(read({ token_uri: `${mine}/token` }, mine).tokenUri).toBe(`${mine}/token`)
    expect(() => read({ token_uri: 'http://127.0.0.1:9001/token' }, mine)).toThrow('token_uri')
    expect(() => read({ token_uri: `${mine}/token` })).toThrow('token_uri')
  })
})
