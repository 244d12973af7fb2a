/** An SSH server on loopback that lets in one key and runs `git upload-pack`, as a host of git repositories does; the protocol is ssh2's. */
import { spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import ssh2, { type Connection, type ParsedKey } from 'ssh2'

export interface GitSshServer extends AsyncDisposable {
  /** Of a repository with that absolute path. */
  url(path: string): string
  /** The line of known_hosts that is true, or that of a host with another key. */
  knownHost(which: 'true' | 'false'): string
  /** A private key in the format of OpenSSH. */
  key(which: 'right' | 'wrong'): string
}

export async function gitSshServer(): Promise<GitSshServer> {
  const pair = () => ssh2.utils.generateKeyPairSync('ed25519')
  const keys = { right: pair(), wrong: pair() }
  const hosts = { true: pair(), false: pair() }
  const allowed = ssh2.utils.parseKey(keys.right.public) as ParsedKey

  const open = new Set<Connection>()
  const server = new ssh2.Server({ hostKeys: [hosts.true.private] }, (connection) => {
    open.add(connection)
    connection.on('close', () => open.delete(connection))
    connection.on('error', () => undefined) // whoever distrusts the key of this host just hangs up
    connection.on('authentication', (context) => {
      if (context.method !== 'publickey' || !context.key.data.equals(allowed.getPublicSSH()))
        return context.reject(['publickey'])
      const { signature, blob } = context
      if (signature === undefined || blob === undefined) return context.accept() // it only asks whether the key would do
      if (allowed.verify(blob, signature, context.hashAlgo) === true) context.accept()
      else context.reject()
    })
    connection.on('session', (accept) => {
      const session = accept()
      let protocol: string | undefined
      session.on('env', (accepted, _reject, { key, val }) => {
        if (key === 'GIT_PROTOCOL') protocol = val
        accepted?.()
      })
      session.on('exec', (accepted, reject, { command }) => {
        const path = /^git-upload-pack '([^']+)'$/.exec(command)?.[1]
        if (path === undefined) return reject()
        const channel = accepted()
        const child = spawn('git', ['upload-pack', path], {
          env: { PATH: process.env.PATH, ...(protocol !== undefined && { GIT_PROTOCOL: protocol }) },
        })
        channel.pipe(child.stdin)
        child.stdout.pipe(channel, { end: false })
        child.stderr.pipe(channel.stderr, { end: false })
        child.once('close', (code) => {
          channel.exit(code ?? 1)
          channel.end()
        })
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    url: (path) => `ssh://git@127.0.0.1:${port}${path}`,
    knownHost: (which) => `[127.0.0.1]:${port} ${hosts[which].public}\n`,
    key: (which) => keys[which].private,
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.end()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
