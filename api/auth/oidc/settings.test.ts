import { describe, expect, it } from 'vitest'
import { readSettings } from '../../../config/settings.ts'
import { oidcSettings } from './settings.ts'

function read(variables: Record<string, string>) {
  const environment = Object.fromEntries(
    Object.entries(variables).map(([suffix, value]) => [`SKYCLUST_OIDC_CORP_${suffix}`, value]),
  )
  return readSettings({ oidc: oidcSettings }, { program: 'api', about: '', environment, commandLine: [] })
}

const enough = {
  ISSUER: 'https://login.example.com/app/',
  CLIENT_ID: 'skyclust',
  CLIENT_SECRET: 's',
  REDIRECT_URI: 'https://skyclust.example/callback',
}

describe('oidcSettings', () => {
  it('keeps the issuer to the letter, and fills in the rest', () => {
    expect(read(enough)).toMatchObject({
      values: {
        oidc: {
          corp: {
            issuer: 'https://login.example.com/app/',
            scopes: 'openid email profile',
            groups: [],
            groupsClaim: 'groups',
            registration: 'as-registration',
          },
        },
      },
    })
  })

  it('takes scopes with spaces or commas, and groups with commas', () => {
    const outcome = read({ ...enough, SCOPES: 'openid,email openid', GROUPS: 'platform, data ,platform,' })

    expect(outcome).toMatchObject({
      values: { oidc: { corp: { scopes: 'openid email', groups: ['platform', 'data'] } } },
    })
  })

  it('refuses what cannot work or would be dangerous, and says why', () => {
    const refused: [Record<string, string>, RegExp][] = [
      [{ SCOPES: 'email' }, /_SCOPES.*openid/],
      [{ GROUPS: 'platform,system:masters' }, /_GROUPS.*system:/],
      [{ GROUPS: 'skyclust:users' }, /_GROUPS.*skyclust:/],
      [{ ISSUER: 'login.example.com' }, /_ISSUER.*URL/],
      [{ REDIRECT_URI: 'https://skyclust.example/callback?a=b' }, /_REDIRECT_URI.*query/],
      [{ REGISTRATION: 'yes' }, /_REGISTRATION.*none of/],
    ]
    for (const [more, words] of refused) {
      expect(read({ ...enough, ...more })).toMatchObject({ outcome: 'refused', lines: [expect.stringMatching(words)] })
    }
    const { REDIRECT_URI: _, ...lacking } = enough
    expect(read(lacking)).toMatchObject({ lines: [expect.stringMatching(/_REDIRECT_URI: is missing/)] })
  })
})
