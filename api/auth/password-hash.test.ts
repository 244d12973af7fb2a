import { describe, expect, it } from 'vitest'
import { passwords } from './password-hash.ts'

const cheap = { memory: 64, passes: 1 }

describe('passwords', () => {
  it('knows the right password from a wrong one, and salts each hash', async () => {
    const known = passwords(cheap)
    const hash = await known.hash('correct horse')

    expect(await known.verify('correct horse', hash)).toBe(true)
    expect(await known.verify('correct horse ', hash)).toBe(false)
    expect(await known.hash('correct horse')).not.toBe(hash)
  })

  it('hashes with at least what OWASP asks for', async () => {
    expect(await passwords().hash('correct horse')).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  it('takes an unknown user for a wrong password', async () => {
    expect(await passwords(cheap).verify('anything', undefined)).toBe(false)
  })

  it('verifies what was hashed with lesser parameters, and says that it should be made anew', async () => {
    const hash = await passwords(cheap).hash('correct horse')
    const raised = passwords({ memory: 128, passes: 2 })

    expect(await raised.verify('correct horse', hash)).toBe(true)
    expect(raised.needsRehash(hash)).toBe(true)
    expect(raised.needsRehash(await raised.hash('correct horse'))).toBe(false)
  })

  it('takes two ways of writing the same character for the same', async () => {
    const known = passwords(cheap)

    expect(await known.verify('비밀번호!', await known.hash('비밀번호!'.normalize('NFD')))).toBe(true)
  })

  it('refuses to be flooded, and goes on afterwards', async () => {
    const known = passwords({ ...cheap, concurrency: 1, queue: 2 })
    const flood = await Promise.allSettled(Array.from({ length: 10 }, () => known.hash('x')))

    expect(flood.filter((one) => one.status === 'fulfilled')).toHaveLength(3)
    expect(flood.at(-1)).toMatchObject({ reason: { code: 'SERVICE_UNAVAILABLE' } })
    await expect(known.hash('x')).resolves.toMatch(/^\$argon2id/)
  })
})
