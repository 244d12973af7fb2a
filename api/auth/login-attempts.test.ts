import { describe, expect, it } from 'vitest'
import { failed, judge, type LoginAttempts, noAttempts, succeeded } from './login-attempts.ts'

const home = 'address-of-the-owner'
const elsewhere = 'address-of-somebody-else'

function failures(count: number, address: string, from: LoginAttempts = noAttempts, now = 0): LoginAttempts {
  return Array.from({ length: count }).reduce<LoginAttempts>((attempts) => failed(attempts, address, now), from)
}

describe('login attempts', () => {
  it('cost nothing for the first five failures', () => {
    expect(judge(failures(4, home), home, 0)).toEqual({ may: true, delayMs: 0 })
  })

  it('are then answered later and later', () => {
    const delays = [5, 6, 7].map((count) => judge(failures(count, home), home, 0))

    expect(delays).toEqual([
      { may: true, delayMs: 500 },
      { may: true, delayMs: 1000 },
      { may: true, delayMs: 2000 },
    ])
  })

  it('then have to wait, twice as long each time, a quarter of an hour at most', () => {
    const waits = [8, 9, 10, 100].map((count) => judge(failures(count, home), home, 0))

    expect(waits).toEqual([4, 8, 16, 900].map((retryAfterSeconds) => ({ may: false, retryAfterSeconds })))
  })

  it('may go on when the wait is over', () => {
    const attempts = failures(8, home)

    expect(judge(attempts, home, 3999)).toEqual({ may: false, retryAfterSeconds: 1 })
    expect(judge(attempts, home, 4000)).toEqual({ may: true, delayMs: 0 })
  })

  it('are forgotten after a day, and by success', () => {
    const attempts = failures(20, home)

    expect(judge(attempts, home, 24 * 3_600_000 + 1)).toEqual({ may: true, delayMs: 0 })
    expect(judge(succeeded(attempts, home), home, 1)).toEqual({ may: true, delayMs: 0 })
  })

  it('from elsewhere do not make the owner wait at an address they have used', () => {
    const attacked = failures(50, elsewhere, succeeded(noAttempts, home))

    expect(judge(attacked, elsewhere, 0)).toMatchObject({ may: false })
    expect(judge(attacked, home, 0)).toEqual({ may: true, delayMs: 0 })
  })

  it('make the owner wait too when it is they who fail', () => {
    expect(judge(failures(8, home, succeeded(noAttempts, home)), home, 0)).toMatchObject({ may: false })
  })

  it('give nothing to write down when the owner logs in again from the same place', () => {
    const attempts = succeeded(noAttempts, home)

    expect(succeeded(attempts, home)).toBe(attempts)
  })
})
