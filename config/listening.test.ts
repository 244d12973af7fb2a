import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { listening } from './listening.ts'

const variables = { port: 'EXAMPLE_PORT', host: 'EXAMPLE_HOST' }

describe('listening', () => {
  it('names the variable of a port that is in use, and what to do', async () => {
    const squatter = createServer()
    await listening(squatter, { host: '127.0.0.1', port: 0, variables })
    const { port } = squatter.address() as { port: number }

    await expect(listening(createServer(), { host: '127.0.0.1', port, variables })).rejects.toThrow(
      `EXAMPLE_PORT: port ${port} of 127.0.0.1 is in use: stop what listens there, or choose another (0: any that is free)`,
    )
    squatter.close()
  })

  it('names the variable of a host that is not this machine', async () => {
    await expect(listening(createServer(), { host: '192.0.2.1', port: 0, variables })).rejects.toThrow(
      /^EXAMPLE_HOST: 192\.0\.2\.1 is no address of this machine: /,
    )
  })
})
