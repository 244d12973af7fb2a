import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { install } from '../../tools/installation.ts'
import { kubectlFor } from '../../tools/kubectl.ts'
import { workshop } from '../../tools/workshop.ts'
import type { Cluster } from './cluster.ts'
import { processKubeconfig } from './process-account.ts'
import { INSTALLATION_NAMESPACE, sharedCluster } from './shared-cluster.ts'

const root = join(import.meta.dirname, '../..')
let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

describe('install', () => {
  it('serves the definitions', async () => {
    const served = await cluster.kubectl('api-resources', '--api-group=skyclust.io', '--output=name')
    for (const plural of ['workspaces', 'credentials', 'vms', 'users', 'sessions', 'costestimates']) {
      expect(served).toContain(`${plural}.skyclust.io`)
    }
  })

  it('may be repeated', async () => {
    await install({ kubectl: cluster.kubectlWith, root, namespace: INSTALLATION_NAMESPACE })
  })

  it('gives the two processes the rights of their roles and no more', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'skyclust-accounts-'))
    const program = await workshop({ environment: process.env, home: homedir() }).obtain('kubectl')
    const may = async (account: 'skyclust-controller' | 'skyclust-api', ...what: string[]) => {
      const kubeconfig = await processKubeconfig(cluster, { account, namespace: INSTALLATION_NAMESPACE, directory })
      const kubectl = kubectlFor(program, kubeconfig)
      return (await kubectl('', 'auth', 'can-i', ...what).catch(({ stdout }) => stdout)).trim()
    }
    try {
      expect(await may('skyclust-controller', 'patch', 'vms.skyclust.io/status', '--all-namespaces')).toBe('yes')
      expect(await may('skyclust-controller', 'create', 'leases', `--namespace=${INSTALLATION_NAMESPACE}`)).toBe('yes')
      expect(await may('skyclust-controller', 'create', 'leases', '--namespace=default')).toBe('no')
      expect(await may('skyclust-api', 'list', 'vms.skyclust.io', '--all-namespaces')).toBe('yes')
      expect(await may('skyclust-api', 'create', 'vms.skyclust.io', '--all-namespaces')).toBe('no')
      for (const account of ['skyclust-controller', 'skyclust-api'] as const) {
        expect(await may(account, '*', '*', '--all-namespaces')).toBe('no')
      }
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
