import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, startInstallation } from '../../contract/installation.ts'
import type { Person } from '../../contract/rest.ts'
import { fuzz } from './schemathesis.ts'

/** Streams that do not end by themselves, and what would end the very session that asks. */
const without = [/\/watch$/, /\/output$/, /\/auth\/logout$/, /\/auth\/sessions/]

let installation: Installation
beforeAll(async () => {
  // The simulated cloud alone: one that cannot be reached is a 502, and rightly so.
  installation = await startInstallation({ env: { SKYCLUST_LOCALE: 'en', SKYCLUST_PROVIDERS: 'sim' } })
})
afterAll(() => installation[Symbol.asyncDispose]())

const somebody: Record<string, { comes: () => Promise<Person>; budgetSeconds: number; not: readonly RegExp[] }> = {
  'an ordinary user': { comes: () => installation.newcomer('Fuzzed'), budgetSeconds: 45, not: without },
  // An administrator may change anybody, themselves included.
  'an administrator': { comes: () => installation.admin(), budgetSeconds: 20, not: [...without, /\/users\/\{id\}$/] },
}

describe('the facade under a fuzzer of its own document', () => {
  it.each(Object.entries(somebody))(
    'gives %s no 5xx, no answer that breaks the document, no hang',
    { timeout: 300_000 },
    async (_, { comes, budgetSeconds, not }) => {
      const person = await comes()
      await person.post('/api/v1/workspaces', { body: { name: 'Fuzzed' } })

      const report = await fuzz({
        url: installation.url,
        token: person.token,
        budgetSeconds,
        seed: 20_250_101,
        without: not,
        answerWithinSeconds: 45,
      })

      expect(report.found, report.text).toBe(false)
      expect(report.requests).toBeGreaterThan(50) // how many they are says more of the machine
      expect((await person.get('/api/v1/users/me')).status).toBe(200)
      expect(installation.facades.flatMap(({ records }) => records).filter(({ level }) => Number(level) >= 50)).toEqual(
        [],
      )
    },
  )
})
