/**
 * Stands where dl.k8s.io and github.com would: a proxy on loopback, as `HTTPS_PROXY` names one, behind which every host is this one. What
 * a process downloads from it, it downloads as it does from the real ones, TLS included.
 */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { createAuthority } from '../../tools/certificates.ts'

export interface ReleaseHost extends AsyncDisposable {
  /** What leads a process here. */
  readonly environment: Readonly<Record<string, string>>
  /** The file names of what was asked for, in order. */
  readonly asked: readonly string[]
  /** Answers to requests for `file` are up to `how` from now on. */
  answer(file: string, how: (response: ServerResponse) => void): void
  /** Serves `content`, and where it is asked for the list of checksums `sums`, the line for it. */
  publish(file: string, content: Buffer, sums: string): void
}

export async function releaseHost(directory: string): Promise<ReleaseHost> {
  const authority = await createAuthority(new Date())
  const authorityFile = join(directory, 'release-host.pem')
  await writeFile(authorityFile, authority.certificate)
  const { certificate: cert, key } = await authority.issueServer('releases', ['dl.k8s.io', 'github.com'])
  const asked: string[] = []
  const answers = new Map<string, (response: ServerResponse) => void>()

  const releases = createHttpsServer({ cert, key }, (request, response) => {
    const file = request.url?.split('/').at(-1) ?? ''
    asked.push(file)
    const answer = answers.get(file)
    if (answer) answer(response)
    else response.writeHead(404).end()
  })
  const proxy = createServer()
  const sockets = new Set<Socket>()
  proxy.on('connect', (_request, socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined) // whoever was killed says no goodbye
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    releases.emit('connection', socket)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))

  const answer: ReleaseHost['answer'] = (file, how) => void answers.set(file, how)
  return {
    environment: {
      HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      NODE_EXTRA_CA_CERTS: authorityFile,
    },
    asked,
    answer,
    publish(file, content, sums) {
      const digest = createHash('sha256').update(content).digest('hex')
      answer(file, (response) => response.writeHead(200, { 'content-length': content.length }).end(content))
      answer(sums, (response) => response.end(`${digest}  ${file}\n`))
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => proxy.close(() => resolve()))
    },
  }
}
