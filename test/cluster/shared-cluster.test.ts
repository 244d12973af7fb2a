import { describe, expect, it } from 'vitest'
import { sharedCluster } from './shared-cluster.ts'

describe('sharedCluster', () => {
  it('is one cluster for all that ask, with namespaces that nobody else has', async () => {
    const [one, other] = await Promise.all([sharedCluster(), sharedCluster()])
    expect(other.server).toEqual(one.server)

    const names = await Promise.all([one.namespace('shared'), other.namespace('shared')])
    expect(new Set(names).size).toBe(2)
    for (const name of names) expect(await one.kubectl('get', 'namespace', name)).toContain('Active')
  })

  it('has SkyClust installed, its processes with accounts of their own', async () => {
    const cluster = await sharedCluster()

    const accounts = await cluster.kubectl('get', 'serviceaccounts', '--namespace=skyclust-system', '--output=name')
    expect(accounts).toContain('serviceaccount/skyclust-controller')
    expect(accounts).toContain('serviceaccount/skyclust-api')
  })
})
