import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { controllerLink, LinkRefused } from './controller-link.ts'

let asked: string[]
let statuses: number[]
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`)
  response.statusCode = statuses.shift() ?? 200
  response.end('words')
})
beforeEach(async () => {
  asked = []
  statuses = []
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

/** Its clock goes on by a second whenever it is looked at. */
function link(patienceMs: number) {
  let time = 0
  const now = () => (time += 1_000)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return controllerLink({ url, token: 'token', patienceMs, now, random: () => 0 })
}

describe('the line to the controller', () => {
  it('asks again until it is answered', async () => {
    statuses = [503, 429, 200]
    expect(String(await link(60_000).get('bundle'))).toBe('words')
    expect(asked).toHaveLength(3)
  })

  it('does not ask again what is refused', async () => {
    statuses = [403]
    await expect(link(60_000).get('bundle')).rejects.toThrow(LinkRefused)
    expect(asked).toHaveLength(1)
  })

  it('has patience once for all calls, from the last answer on, and says for how long nothing was heard, and why', async () => {
    statuses = [200, ...Array(20).fill(503)]
    const line = link(5_000)
    await line.get('bundle')
    await expect(line.send('PUT', 'output/0', '')).rejects.toThrow(/has not been heard for \d+ s: .*503: words/)
    const tries = asked.length
    expect(tries).toBeGreaterThan(2)
    await expect(line.send('POST', 'result', '')).rejects.toThrow('has not been heard')
    expect(asked.slice(tries)).toEqual(['POST /result'])
  })

  it('says why nobody can be reached', async () => {
    const line = link(0)
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await expect(line.get('bundle')).rejects.toThrow('ECONNREFUSED')
    server.listen(0)
    await once(server, 'listening')
  })
})
