/** HTTP as bytes on a socket: what no client would send. */
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

export interface RawConnection extends Disposable {
  send(bytes: string): void
  /** The first answer on it, once the server has ended the connection or said all that it announced. */
  answer(): Promise<RawAnswer>
  /** Settles when the server has ended the connection. */
  readonly closed: Promise<void>
}

export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect({ host: hostname, port: Number(port) })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let received = ''
  const waiting = new Set<() => void>()
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.setEncoding('utf8')
  socket.on('error', () => undefined) // a reset is an end as well
  socket.on('data', (text: string) => {
    received += text
    for (const look of waiting) look()
  })
  return {
    closed,
    send: (bytes) => void socket.write(bytes),
    async answer() {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = () => isWhole(received) && resolve()
      waiting.add(look)
      look()
      await Promise.race([promise, closed])
      return parse(received)
    },
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

/** One request, one answer. */
export async function raw(url: string, bytes: string): Promise<RawAnswer> {
  using connection = await openRaw(url)
  connection.send(bytes)
  return await connection.answer()
}

function isWhole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = /^content-length: (\d+)/im.exec(received.slice(0, end))?.[1]
  return length !== undefined && Buffer.byteLength(received.slice(end + 4)) >= Number(length)
}

function parse(received: string): RawAnswer {
  const end = received.indexOf('\r\n\r\n')
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0),
    head: end < 0 ? received : received.slice(0, end),
    body: end < 0 ? '' : received.slice(end + 4),
  }
}
