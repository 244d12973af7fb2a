import { describe, expect, it } from 'vitest'
import { KUBERNETES_VERSION } from '../../tools/versions.ts'
import { startCluster } from './cluster.ts'

describe('startCluster', () => {
  it('is a real Kubernetes of the pinned version, and its administrator may do everything', async () => {
    await using cluster = await startCluster()

    const version = JSON.parse(await cluster.kubectl('get', '--raw', '/version'))
    expect(version).toMatchObject({ gitVersion: `v${KUBERNETES_VERSION}`, major: '1', minor: '36' })
    expect(await cluster.kubectl('auth', 'can-i', '*', '*', '--all-namespaces')).toBe('yes\n')
  })
})
