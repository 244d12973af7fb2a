/**
 * Leader election between real processes on a real API server: one is frozen past its lease and wakes up again.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { type ConfigMap, configMapType, leaseType } from '../../kube/builtin-types.ts'
import { compareResourceVersions } from '../../kube/resource.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { sharedCluster } from '../cluster/shared-cluster.ts'
import { PATIENCE, type Workbench, workbench } from './workbench.ts'

let cluster: Cluster
beforeAll(async () => {
  cluster = await sharedCluster()
})

function candidate(bench: Workbench, name: string): Program {
  return startProgram({
    main: 'test/kube/candidate-program.ts',
    args: [bench.proxy.url.href, bench.namespace, name],
  })
}

const leads = (program: Program) => program.logged(({ msg }) => msg === 'leads', PATIENCE.timeout)

/** What the candidates did, in the order in which the server took it. */
async function acts(bench: Workbench): Promise<string[]> {
  const { items } = await bench.direct.list(configMapType, { namespace: bench.namespace })
  return items
    .filter(({ metadata }) => /^(one|other)-\d+$/.test(metadata.name))
    .toSorted(byVersion)
    .map(({ metadata }) => metadata.name.split('-')[0] ?? '')
}

function byVersion(a: ConfigMap, b: ConfigMap): number {
  return compareResourceVersions(a.metadata.resourceVersion, b.metadata.resourceVersion)
}

const actsOf = async (bench: Workbench, name: string) => (await acts(bench)).filter((by) => by === name).length

describe('a leader', () => {
  it('that was frozen past its lease does nothing more when it wakes up, and ends, while another leads', async () => {
    await using bench = await workbench(cluster)
    await using one = candidate(bench, 'one')
    await leads(one)
    await using other = candidate(bench, 'other')
    await expect.poll(() => actsOf(bench, 'one'), PATIENCE).toBeGreaterThan(5)

    one.kill('SIGSTOP')
    await leads(other)
    await expect.poll(() => actsOf(bench, 'other'), PATIENCE).toBeGreaterThan(5)
    one.kill('SIGCONT')

    expect((await one.exited).code).toBe(3)
    expect(one.lines.at(-1)).toMatch(/lost: the Lease/)
    const soFar = await actsOf(bench, 'other')
    await expect.poll(() => actsOf(bench, 'other'), PATIENCE).toBeGreaterThan(soFar)
    const order = await acts(bench)
    expect(order.lastIndexOf('one')).toBeLessThan(order.indexOf('other'))
    const { spec } = await bench.direct.get(leaseType, { namespace: bench.namespace, name: 'leader' })
    expect(spec).toMatchObject({ holderIdentity: 'other', leaseDurationSeconds: 6, leaseTransitions: 1 })
  })

  it('whose renewals are not answered does nothing more until they are', async () => {
    await using bench = await workbench(cluster)
    await using one = candidate(bench, 'one')
    await leads(one)
    const silence = bench.proxy.inject(({ path }) => path.endsWith('/leases/leader'), { silentAfter: -1 })

    let soFar = -1
    await expect
      .poll(
        async () => {
          const before = soFar
          soFar = await actsOf(bench, 'one')
          return soFar === before
        },
        { ...PATIENCE, interval: 1_000 },
      )
      .toBe(true)
    silence.remove()

    await expect.poll(() => actsOf(bench, 'one'), PATIENCE).toBeGreaterThan(soFar)
    expect(one.records.filter(({ msg }) => msg === 'leads')).toHaveLength(2)
  })

  it('that is told to stop gives the lease back, so that another leads at once', async () => {
    await using bench = await workbench(cluster)
    await using one = candidate(bench, 'one')
    await leads(one)

    expect((await one.stop()).code).toBe(0)

    const { spec } = await bench.direct.get(leaseType, { namespace: bench.namespace, name: 'leader' })
    expect(spec?.holderIdentity).toBe('')
    await using other = candidate(bench, 'other')
    await leads(other)
    await expect.poll(() => actsOf(bench, 'other'), PATIENCE).toBeGreaterThan(0)
  })
})
