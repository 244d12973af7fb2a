/**
 * The server as a process of its own, for benchmarks. It logs where it is, a key of its service account, and where it
 * counts the calls that came: `GET <calls>` answers `{reads, mutations}`.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { startGce } from './gce-server.ts'
import { isMutation } from './routes.ts'

const gce = await startGce()
const counts = createServer((_, response) => {
  const changing = gce.calls.filter(isMutation).length
  response.end(JSON.stringify({ reads: gce.calls.length - changing, mutations: changing }))
})
counts.listen(0, '127.0.0.1')
await once(counts, 'listening')
const calls = `http://127.0.0.1:${(counts.address() as AddressInfo).port}`
pino({ name: 'gce' }).info({ url: gce.url, key: gce.accounts.keyFile(), calls }, 'Compute Engine is up')
