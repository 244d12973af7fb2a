/**
 * Writes a kubeconfig for one cluster and one user.
 *
 * Guarantees: the file appears whole and only its owner may read it.
 */
import { rename, writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { KeyPair } from './certificates.ts'

export interface KubeconfigOptions {
  readonly server: URL
  /** PEM */
  readonly certificateAuthority: string
  readonly user: KeyPair | { readonly token: string } | { readonly tokenFile: string }
  readonly namespace?: string
}

export async function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  const { server, certificateAuthority, user, namespace } = options
  const name = 'skyclust-local'
  const text = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name, cluster: { server: server.origin, 'certificate-authority-data': base64(certificateAuthority) } },
    ],
    users: [{ name, user: credentialsOf(user) }],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': name,
  })
  await writePrivateFile(path, text)
}

/** Readable by its owner alone, and never seen half. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${process.pid}.partial`
  await writeFile(partial, text, { mode: 0o600 })
  await rename(partial, path)
}

function credentialsOf(user: KubeconfigOptions['user']): Record<string, string> {
  if ('token' in user || 'tokenFile' in user) return { ...user }
  return { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
