import { describe, expect, it } from 'vitest'
import { type Bundle, usualLimits } from '../protocol.ts'
import { failureOf } from './phase-words.ts'

/** As Go 1.26 wrote it when a fork bomb had taken what the user may have. */
const noThread = `terraform_data.x (local-exec): bash: fork: retry: Resource temporarily unavailable
runtime: failed to create new OS thread (have 12 already; errno=11)
runtime: may need to increase max user processes (ulimit -u)
fatal error: newosproc

goroutine 27 gp=0x23c611846780 m=nil [chan send]:
runtime.gopark(0x23c611e67260?, 0x23c612196d20?, 0x0?, 0xc0?, 0x23c611d8ef28?)
`
const noMemory = 'fatal error: runtime: out of memory\n\ngoroutine 1 [running]:\n'

function failure(phase: 'plan' | 'apply', output: string) {
  const bundle = { phase, limits: usualLimits } as unknown as Bundle
  const { reason, message } = failureOf({ bundle, tofu: 'tofu', code: 2, output })
  return { reason, message }
}

describe('what tofu dies of', () => {
  it('is the number of processes and threads, in words and not as a dump of goroutines', () => {
    expect(failure('apply', noThread)).toEqual({
      reason: 'ProcessLimitExceeded',
      message: expect.stringMatching(/^tofu could not go on: .* 1024 processes and threads .* Resources may exist/),
    })
  })

  it('is memory', () => {
    expect(failure('plan', noMemory)).toEqual({
      reason: 'MemoryLimitExceeded',
      message: 'tofu needed more than the 2 GiB of memory that it may have. Nothing was changed.',
    })
  })
})
