/**
 * Ports on loopback. Caveat: between the answer and its use somebody else may take the port; who starts a server with it
 * must be ready to choose another.
 */
import { createServer } from 'node:net'

/** A port on which nobody listens now, chosen by the system. */
export async function freePort(): Promise<number> {
  const port = await tryListen(0)
  if (port === undefined) throw new Error('the system has no free port on 127.0.0.1')
  return port
}

export async function isFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== undefined
}

async function tryListen(port: number): Promise<number | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })
}
