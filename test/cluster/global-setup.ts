/**
 * Runs in vitest's main process: starts the shared control plane when the first test file asks for it, and ends it after the last.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { install } from '../../tools/installation.ts'
import { startCluster, type TestCluster } from './cluster.ts'
import { INSTALLATION_NAMESPACE, type SharedClusterAccess } from './shared-cluster.ts'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let starting: Promise<TestCluster> | undefined
  const server = createServer(async (_request, response) => {
    starting ??= startInstalledCluster()
    try {
      response.end(JSON.stringify(accessTo(await starting)))
    } catch (error) {
      response.writeHead(500).end((error as Error).message)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  project.provide('sharedClusterUrl', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`)

  return async () => {
    server.close()
    const cluster = await starting?.catch(() => undefined)
    await cluster?.stop()
  }
}

async function startInstalledCluster(): Promise<TestCluster> {
  const cluster = await startCluster()
  const root = join(import.meta.dirname, '../..')
  await install({ kubectl: cluster.kubectlWith, root, namespace: INSTALLATION_NAMESPACE })
  return cluster
}

function accessTo({ server, kubeconfig, authority, administrator }: TestCluster): SharedClusterAccess {
  const { certificate, key } = authority
  return { server: server.href, kubeconfig, authority: { certificate, key }, administrator }
}
