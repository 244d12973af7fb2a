import { describe, expect, it } from 'vitest'
import { CloudError } from './cloud-error.ts'
import { silence } from './silence.ts'

const unanswered = () =>
  Promise.reject(new CloudError('none', { class: 'transient', action: 'List', unanswered: true }))
const refused = () => Promise.reject(new CloudError('no', { class: 'forbidden', action: 'List' }))

function given() {
  const time = { now: 1_000 }
  return { time, heard: silence(() => time.now) }
}

describe('a silence', () => {
  it('is none before anybody asks, and while the cloud answers', async () => {
    const { heard } = given()
    expect(heard.since).toBeUndefined()
    await heard.heeded('read', async () => 1)
    expect(heard.since).toBeUndefined()
  })

  it('begins with the first read that waits, and goes on when that is given up and others are', async () => {
    const { time, heard } = given()
    const { promise, reject } = Promise.withResolvers<never>()
    const first = heard.heeded('read', () => promise)
    expect(heard.since).toBe(1_000)

    time.now = 31_000
    reject(new CloudError('none', { class: 'transient', action: 'List', unanswered: true }))
    await expect(first).rejects.toThrow('none')
    await expect(heard.heeded('mutation', unanswered)).rejects.toThrow('none')
    expect(heard.since).toBe(1_000)
  })

  it('ends with any answer, a refusal included', async () => {
    const { heard } = given()
    await expect(heard.heeded('read', unanswered)).rejects.toThrow('none')
    expect(heard.since).toBe(1_000)
    await expect(heard.heeded('read', refused)).rejects.toThrow('no')
    expect(heard.since).toBeUndefined()
  })

  it('begins anew for those who still wait when another one is answered', async () => {
    const { time, heard } = given()
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = heard.heeded('read', () => promise)
    time.now = 5_000
    await heard.heeded('mutation', async () => undefined)
    expect(heard.since).toBe(5_000)
    resolve()
    await waiting
    expect(heard.since).toBeUndefined()
  })

  it('is not begun by a mutation that takes its time, nor by a caller who gives up', async () => {
    const { heard } = given()
    const { promise, resolve } = Promise.withResolvers<void>()
    const slow = heard.heeded('mutation', () => promise)
    expect(heard.since).toBeUndefined()
    await expect(heard.heeded('read', () => Promise.reject(new Error('given up')))).rejects.toThrow('given up')
    expect(heard.since).toBeUndefined()
    resolve()
    await slow
  })
})
