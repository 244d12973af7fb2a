/**
 * Thousands of readers of server-sent events, on bare sockets: a client library for each would weigh more than what is measured.
 * Each tells when it has heard of a private address, which is how the benchmark marks its changes.
 */
import { connect, type Socket } from 'node:net'

export interface Crowd extends Disposable {
  /** Streams that have been told everything there was. */
  readonly ready: number
  /** Streams that the server has ended. */
  readonly ended: number
}

export interface CrowdOptions {
  readonly url: URL
  /** Path and token of each. */
  readonly streams: readonly { readonly path: string; readonly token: string }[]
  /** Such an address was told to one of them. */
  readonly onAddress: (address: string) => void
}

const AT_A_TIME = 100
const address = /"private_ip":"(10\.[\d.]+)"/g

/** Resolves when all are connected and have been told what there is. */
export async function gather({ url, streams, onAddress }: CrowdOptions): Promise<Crowd> {
  const sockets: Socket[] = []
  let ready = 0
  let ended = 0
  let next = 0

  function open({ path, token }: CrowdOptions['streams'][number]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const socket = connect({ host: url.hostname, port: Number(url.port) }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${url.host}\r\nauthorization: Bearer ${token}\r\n\r\n`)
    })
    sockets.push(socket)
    let isReady = false
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      rest += text
      if (isReady) for (const [, told = ''] of rest.matchAll(address)) onAddress(told)
      else if (rest.includes('event: ready')) {
        isReady = true
        ready += 1
        resolve()
      } else if (rest.startsWith('HTTP/1.1 ') && !rest.startsWith('HTTP/1.1 200')) reject(new Error(rest))
      rest = rest.slice(rest.lastIndexOf('\n\n') + 2)
    })
    socket.on('close', () => {
      ended += 1
      reject(new Error('the stream ended before it was ready'))
    })
    socket.on('error', reject)
    return promise
  }

  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (let stream = streams[next++]; stream !== undefined; stream = streams[next++]) await open(stream)
    }),
  )
  return {
    get ready() {
      return ready
    },
    get ended() {
      return ended
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
    },
  }
}
