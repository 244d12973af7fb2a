import { describe, expect, it } from 'vitest'
import { providers } from './providers.ts'

const all = providers({ enabled: ['sim', 'aws'], simUrl: 'http://127.0.0.1:1' })

describe('providers', () => {
  it('are those that are on, found without regard to case', () => {
    expect(all.all.map(({ name, displayName }) => [name, displayName])).toEqual([
      ['aws', 'AWS'],
      ['sim', 'Sim'],
    ])
    expect(all.named('AwS')?.name).toBe('aws')
    expect(providers({ enabled: ['aws'] }).named('sim')).toBeUndefined()
    expect(all.named('azure')).toBeUndefined()
  })

  it('do not begin with a simulated cloud of which nobody says where it is', () => {
    expect(() => providers({ enabled: ['sim'] })).toThrow('nothing says where it listens')
  })

  it.each(all.all.map((provider) => [provider.name, provider] as const))(
    'let REST give every key that a Secret of %s needs',
    (_, { secretKeys, credentialFields }) => {
      const given = credentialFields.flatMap((field) => ('secretKey' in field ? [field] : []))
      const required = given.filter((field) => field.required).map(({ secretKey }) => secretKey)

      expect(required).toEqual(secretKeys.required)
      expect(given.map(({ secretKey }) => secretKey)).toEqual([...secretKeys.required, ...secretKeys.optional])
    },
  )

  it.each(all.all.map((provider) => [provider.name, provider] as const))(
    'connect to each region of %s without a call, and to none that is not',
    (_, provider) => {
      const secret = { access_key: 'a', secret_key: 's' }

      for (const { name } of provider.regions) {
        expect(provider.connect({ secret }, name)).toMatchObject({ provider: provider.name, region: name })
      }
      expect(() => provider.connect({ secret }, 'nowhere')).toThrow(expect.objectContaining({ class: 'invalid' }))
      expect(() => provider.connect({ secret: {} }, provider.regions[0]?.name ?? '')).toThrow(
        'The Secret lacks access_key and secret_key.',
      )
    },
  )
})
