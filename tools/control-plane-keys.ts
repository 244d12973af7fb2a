/**
 * The keys of a local control plane: made at its first start, found again at the next, so that kubeconfigs and tokens stay valid.
 */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CertificateAuthority, createAuthority, type KeyPair, loadAuthority } from './certificates.ts'
import { writePrivateFile } from './kubeconfig.ts'

export interface ControlPlaneKeys {
  readonly authority: CertificateAuthority
  readonly administrator: KeyPair
  readonly controllerManager: KeyPair
  /** Paths, as the programs want them. */
  readonly files: {
    readonly authority: string
    readonly serverCertificate: string
    readonly serverKey: string
    readonly serviceAccountKey: string
  }
}

export async function controlPlaneKeys(directory: string): Promise<ControlPlaneKeys> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const now = new Date()
  const saved = await readPair(join(directory, 'ca'))
  const authority = await (saved === undefined ? createAuthority(now) : loadAuthority(saved, now))
  if (saved === undefined) await writePair(join(directory, 'ca'), authority)

  const serviceAccountKey = join(directory, 'service-account.key')
  if ((await read(serviceAccountKey)) === undefined) await writePrivateFile(serviceAccountKey, signingKey())

  const hosts = ['127.0.0.1', 'localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', '10.0.0.1']
  const server = join(directory, 'apiserver')
  await writePair(server, await authority.issueServer('kube-apiserver', hosts))
  return {
    authority,
    administrator: await authority.issueClient('skyclust-local-admin', ['system:masters']),
    controllerManager: await authority.issueClient('system:kube-controller-manager', []),
    files: {
      authority: join(directory, 'ca.crt'),
      serverCertificate: `${server}.crt`,
      serverKey: `${server}.key`,
      serviceAccountKey,
    },
  }
}

/** Signs service account tokens (ES256). */
function signingKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'sec1' })
    .toString()
}

async function writePair(path: string, { certificate, key }: KeyPair): Promise<void> {
  await writePrivateFile(`${path}.key`, key)
  await writePrivateFile(`${path}.crt`, certificate) // last: its being there says that both are
}

async function readPair(path: string): Promise<KeyPair | undefined> {
  const certificate = await read(`${path}.crt`)
  const key = await read(`${path}.key`)
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
