/**
 * The simulated cloud as a process of its own.
 *
 *     SKYCLUST_SIM_PORT    the port on 127.0.0.1; 0, the default, takes a free one and logs it
 *     SKYCLUST_SIM_STATE   a file in which its instances outlive it; without one they die with it
 */
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { openJournal } from './journal.ts'
import { simServer } from './server.ts'
import { createSim } from './sim.ts'

const log = pino({ name: 'sim' })

const port = Number(process.env.SKYCLUST_SIM_PORT ?? '0')
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  fail(`SKYCLUST_SIM_PORT is "${process.env.SKYCLUST_SIM_PORT}"; it is a port from 0 to 65535`)
}

const journal = process.env.SKYCLUST_SIM_STATE ? stateIn(process.env.SKYCLUST_SIM_STATE) : undefined
const sim = createSim({
  now: Date.now,
  random: Math.random,
  ...(journal && { records: journal.records, onRecord: journal.onRecord }),
})

const server = simServer(sim)
server.on('error', (error) => fail(`cannot listen on 127.0.0.1:${port}: ${error.message}`))
server.listen(port, '127.0.0.1', () => {
  const { port: chosen } = server.address() as AddressInfo
  log.info({ url: `http://127.0.0.1:${chosen}`, instances: sim.instances().length }, 'the simulated cloud is up')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    server.close(() => {
      journal?.close()
      process.exit(0)
    })
    server.closeAllConnections()
  })
}

function stateIn(path: string) {
  try {
    return openJournal(path)
  } catch (error) {
    return fail(`SKYCLUST_SIM_STATE is "${path}", which cannot be used: ${(error as Error).message}`)
  }
}

function fail(words: string): never {
  process.stderr.write(`sim: ${words}\n`)
  process.exit(1)
}
