/**
 * Who a client is to the real API server, while tokens, certificates and authorities change under it.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { type ConfigMap, configMapType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import { type KubeClient, kubeClient } from '../../kube/client.ts'
import { type Clock, systemClock } from '../../kube/clock.ts'
import { loadCluster } from '../../kube/cluster.ts'
import { isUnauthorized, type KubeError } from '../../kube/kube-error.ts'
import { createAuthority } from '../../tools/certificates.ts'
import { writePrivateFile } from '../../tools/kubeconfig.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { faultProxy } from '../fault-proxy/fault-proxy.ts'
import { PATIENCE } from './workbench.ts'

let cluster: Cluster
let namespace: string
let folder: string
const clients: KubeClient[] = []

beforeAll(async () => {
  cluster = await sharedCluster()
  namespace = await cluster.namespace('credentials')
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skyclust-credentials-'))
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await rm(folder, { recursive: true })
})

/** A clock that is as late as a test wants it to be, so that files are read again without waiting. */
function movableClock(): Clock & { move(ms: number): void } {
  let moved = 0
  return {
    now: () => performance.now() + moved,
    after: systemClock.after,
    move(ms) {
      moved += ms
    },
  }
}

function connectBy(options: Parameters<typeof loadCluster>[0]): KubeClient {
  const client = kubeClient({ cluster: loadCluster(options), fieldManager: 'kube-test' })
  clients.push(client)
  return client
}

async function kubeconfig(user: object, more: object = {}, server = cluster.server.href): Promise<string> {
  const path = join(folder, 'kubeconfig')
  const authority = { 'certificate-authority-data': Buffer.from(cluster.authority.certificate).toString('base64') }
  const content = {
    clusters: [{ name: 'it', cluster: { server, ...authority, ...more } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'here', context: { cluster: 'it', user: 'me' } }],
    'current-context': 'here',
  }
  await writeFile(path, stringify(content))
  return path
}

/** A token that dies with its Secret. */
async function mortalToken(): Promise<{ readonly token: string; revoke(): Promise<unknown> }> {
  const secret = `token-${randomUUID()}`
  const there = `--namespace=${namespace}`
  await cluster.kubectl('create', 'secret', 'generic', secret, there)
  const bound = ['--bound-object-kind=Secret', `--bound-object-name=${secret}`]
  const token = await cluster.kubectl('create', 'token', 'reader', there, ...bound)
  return { token: token.trim(), revoke: () => cluster.kubectl('delete', 'secret', secret, there) }
}

const whoami = async (client: KubeClient): Promise<string> => {
  const body = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' })
  const headers = { 'content-type': 'application/json' }
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const answer = await client.raw(path, { method: 'POST', headers, body })
  return JSON.parse(answer.body).status?.userInfo?.username ?? `HTTP ${answer.status}`
}

beforeAll(async () => {
  await cluster.kubectl('create', 'serviceaccount', 'reader', `--namespace=${namespace}`)
  await cluster.kubectl(
    ...['create', 'rolebinding', 'reader', '--clusterrole=edit', `--serviceaccount=${namespace}:reader`],
    `--namespace=${namespace}`,
  )
})

describe('a token on disk', () => {
  it('that is replaced and whose predecessor is revoked is taken up by writes and watches alike', async () => {
    await using proxy = await faultProxy({ upstream: cluster.server, tls: { ca: cluster.authority.certificate } })
    const tokenFile = join(folder, 'token')
    const [first, second] = [await mortalToken(), await mortalToken()]
    await writePrivateFile(tokenFile, first.token)
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig({ tokenFile }, {}, proxy.url.href) } })
    const stop = new AbortController()
    const cached = cache<ConfigMap>(client, configMapType, { namespace, signal: stop.signal })
    await cached.synced()

    await first.revoke()
    const withFirst = { headers: { authorization: `Bearer ${first.token}` } }
    await expect.poll(async () => (await client.raw('/api', withFirst)).status, PATIENCE).toBe(401)
    await writePrivateFile(tokenFile, second.token)
    const made = await client.create(configMapType, { metadata: { namespace, generateName: 'rotated-' } })
    proxy.resetConnections()

    expect(await cached.seen(made, { timeoutMs: PATIENCE.timeout })).toBe(true)
    expect(proxy.requests.at(-1)?.headers.authorization).toBe(`Bearer ${second.token}`)
    stop.abort(new Error('stopped'))
    await cached.done
  })

  it('that is empty or missing for a moment leaves the one before in force', async () => {
    const tokenFile = join(folder, 'token')
    const clock = movableClock()
    const { token } = await mortalToken()
    await writePrivateFile(tokenFile, token)
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig({ tokenFile }) }, clock })
    const reader = `system:serviceaccount:${namespace}:reader`
    expect(await whoami(client)).toBe(reader)

    for (const harm of [() => writeFile(tokenFile, ''), () => rm(tokenFile)]) {
      await harm()
      clock.move(60_000)
      expect(await whoami(client)).toBe(reader)
    }
  })

  it('that never was any good is an error that says so, and is not asked about without end', async () => {
    await using proxy = await faultProxy({ upstream: cluster.server, tls: { ca: cluster.authority.certificate } })
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, 'nonsense')
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig({ tokenFile }, {}, proxy.url.href) } })

    expect(isUnauthorized(await client.list(configMapType).catch((error) => error))).toBe(true)
    expect(proxy.requests).toHaveLength(2)
    await rm(tokenFile)
    const error: KubeError = await client.list(configMapType).catch((error) => error)
    expect(error.message).toMatch(/^no credentials for the API server: .*token/)
  })
})

describe('an exec plugin', () => {
  /** A plugin that notes each run, and answers with whatever is in `answer.json`. */
  async function plugin(): Promise<{ command: string; runs(): Promise<number> }> {
    const command = join(folder, 'plugin.sh')
    await writeFile(command, `#!/bin/sh\necho run >>'${folder}/runs'\ncat '${folder}/answer.json'\n`)
    await chmod(command, 0o755)
    return { command, runs: async () => (await readFile(join(folder, 'runs'), 'utf8')).trim().split('\n').length }
  }
  const answer = (status: object) =>
    writeFile(
      join(folder, 'answer.json'),
      JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }),
    )
  const execOf = (command: string) => ({
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command, interactiveMode: 'Never' },
  })

  it('is asked once, and again when the server refuses what it gave', async () => {
    const { command, runs } = await plugin()
    const [first, second] = [await mortalToken(), await mortalToken()]
    await answer({ token: first.token })
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig(execOf(command)) } })
    await client.list(configMapType, { namespace })
    await client.list(configMapType, { namespace })
    expect(await runs()).toBe(1)

    await first.revoke()
    await answer({ token: second.token })
    const isAskedAgain = async () => {
      await client.list(configMapType, { namespace })
      return runs()
    }
    await expect.poll(isAskedAgain, PATIENCE).toBe(2)
  })

  it('is told what it is asked for, and of the cluster if it wants to know', async () => {
    const command = join(folder, 'curious.sh')
    const { token } = await mortalToken()
    await answer({ token })
    const script = `#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO" >'${folder}/info'\ncat '${folder}/answer.json'\n`
    await writeFile(command, script, { mode: 0o755 })
    const user = { exec: { ...execOf(command).exec, provideClusterInfo: true } }
    await connectBy({ environment: { KUBECONFIG: await kubeconfig(user) } }).list(configMapType, { namespace })

    expect(JSON.parse(await readFile(join(folder, 'info'), 'utf8'))).toEqual({
      kind: 'ExecCredential',
      apiVersion: 'client.authentication.k8s.io/v1',
      spec: {
        interactive: false,
        cluster: {
          server: cluster.server.href,
          'certificate-authority-data': Buffer.from(cluster.authority.certificate).toString('base64'),
        },
      },
    })
  })

  it('may answer with a client certificate', async () => {
    const { command } = await plugin()
    const alice = await cluster.authority.issueClient('alice', [])
    await answer({ clientCertificateData: alice.certificate, clientKeyData: alice.key })
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig(execOf(command)) } })

    expect(await whoami(client)).toBe('alice')
  })

  it.each([
    ['is not there', async () => join(folder, 'no-such-plugin'), /ENOENT/],
    [
      'fails',
      async () => {
        await writeFile(join(folder, 'fails.sh'), '#!/bin/sh\necho log in first >&2\nexit 1\n', { mode: 0o755 })
        return join(folder, 'fails.sh')
      },
      /log in first/,
    ],
  ])('that %s is an error that says so', async (_how, make, says) => {
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig(execOf(await make())) } })
    const error: KubeError = await client.list(configMapType).catch((error) => error)

    expect(error.reason).toBe('NoCredentials')
    expect(error.message).toMatch(says)
  })
})

describe('a client certificate on disk', () => {
  it('that is replaced is used for new connections, while a watch on the old one goes on', async () => {
    const files = { 'client-certificate': join(folder, 'me.crt'), 'client-key': join(folder, 'me.key') }
    const become = async (user: string) => {
      const { certificate, key } = await cluster.authority.issueClient(user, ['system:masters'])
      await writeFile(files['client-certificate'], certificate)
      await writeFile(files['client-key'], key)
    }
    await become('alice')
    const clock = movableClock()
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig(files) }, clock })
    const stop = new AbortController()
    const interruptions: unknown[] = []
    const cached = cache<ConfigMap>(client, configMapType, {
      namespace,
      signal: stop.signal,
      onReflectorEvent: (event) => event.type === 'interrupted' && interruptions.push(event.error),
    })
    await expect.poll(() => cached.freshness().connected, PATIENCE).toBe(true)
    expect(await whoami(client)).toBe('alice')

    await become('bob')
    clock.move(60_000)

    expect(await whoami(client)).toBe('bob')
    const made = await client.create(configMapType, { metadata: { namespace, generateName: 'renewed-' } })
    expect(await cached.seen(made, { timeoutMs: PATIENCE.timeout })).toBe(true)
    expect(interruptions).toEqual([])
    stop.abort(new Error('stopped'))
    await cached.done
  })
})

describe('the authority of the server', () => {
  it('is read again in a pod when it is replaced', async () => {
    const root = join(folder, 'serviceaccount')
    await mkdir(root)
    const other = await createAuthority(new Date())
    await writeFile(join(root, 'token'), (await mortalToken()).token)
    await writeFile(join(root, 'namespace'), namespace)
    await writeFile(join(root, 'ca.crt'), other.certificate)
    const clock = movableClock()
    const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: cluster.server.port }
    const client = connectBy({ environment, home: folder, serviceAccountRoot: root, clock })
    expect(await whoami(client).catch((error: KubeError) => error.message)).toMatch(/certificate/)

    await writeFile(join(root, 'ca.crt'), cluster.authority.certificate)
    clock.move(60_000)

    expect(await whoami(client)).toBe(`system:serviceaccount:${namespace}:reader`)
  })

  it('does not matter with insecure-skip-tls-verify, and the name is checked as tls-server-name', async () => {
    const { certificate, key } = cluster.administrator
    const user = {
      'client-certificate-data': Buffer.from(certificate).toString('base64'),
      'client-key-data': Buffer.from(key).toString('base64'),
    }
    const skipping = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true }
    expect(await whoami(connectBy({ environment: { KUBECONFIG: await kubeconfig(user, skipping) } }))).not.toMatch(
      /HTTP/,
    )

    const misnamed = connectBy({ environment: { KUBECONFIG: await kubeconfig(user, { 'tls-server-name': 'other' }) } })
    await expect(whoami(misnamed)).rejects.toThrow(/other/)
    const named = connectBy({ environment: { KUBECONFIG: await kubeconfig(user, { 'tls-server-name': 'localhost' }) } })
    expect(await whoami(named)).not.toMatch(/HTTP/)
  })
})

describe('a proxy on the way', () => {
  it('tunnels requests and watches, and has no connection left after the client is closed', async () => {
    const tunnels = new Set<Socket>()
    let asked = 0
    const proxy = createServer().on('connect', (request, socket: Socket) => {
      asked += 1
      tunnels.add(socket)
      const [host, port] = (request.url ?? '').split(':')
      const upstream = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        upstream.pipe(socket).pipe(upstream)
      })
      socket.on('error', () => upstream.destroy()).on('close', () => tunnels.delete(socket) && upstream.destroy())
      upstream.on('error', () => socket.destroy())
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const { token } = await mortalToken()
    const client = connectBy({ environment: { KUBECONFIG: await kubeconfig({ token }, { 'proxy-url': url }) } })
    const stop = new AbortController()
    const cached = cache<ConfigMap>(client, configMapType, { namespace, signal: stop.signal })

    const made = await client.create(configMapType, { metadata: { namespace, generateName: 'tunnelled-' } })
    expect(await cached.seen(made, { timeoutMs: PATIENCE.timeout })).toBe(true)
    expect(asked).toBeGreaterThan(0)
    stop.abort(new Error('stopped'))
    await cached.done
    await client.close()

    await expect.poll(() => tunnels.size, PATIENCE).toBe(0)
    proxy.close()
  })
})
