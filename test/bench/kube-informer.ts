/**
 * The reflector and cache of `kube/` against `@kubernetes/client-node`'s informer: both follow the same 20,000 VMs of a
 * real apiserver, each in a process of its own, in turns. `INFORMER_OBJECTS=1000 node test/bench/kube-informer.ts` takes fewer.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { install } from '../../tools/installation.ts'
import { startCluster } from '../cluster/cluster.ts'
import type { Followed } from './kube-informer/followed.ts'
import { seed } from './kube-informer/seed.ts'
import { report } from './report.ts'

const ROUNDS = 5
const count = Number(process.env.INFORMER_OBJECTS ?? 20_000)
const programs = { ours: 'kube-informer/ours.ts', theirs: 'kube-informer/client-node.ts' } as const

async function follow(who: keyof typeof programs, kubeconfig: string): Promise<Followed> {
  const program = fileURLToPath(new URL(programs[who], import.meta.url))
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, KUBECONFIG: kubeconfig }
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, String(count)], { env })
  return JSON.parse(stdout) as Followed
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

await using cluster = await startCluster({ controllerManager: false })
await install({
  kubectl: cluster.kubectlWith,
  root: fileURLToPath(new URL('../..', import.meta.url)),
  namespace: 'default',
})
await seed(cluster, count)

const measured: Record<keyof typeof programs, Followed[]> = { ours: [], theirs: [] }
for (let round = 0; round < ROUNDS; round++) {
  for (const who of ['ours', 'theirs'] as const) measured[who].push(await follow(who, cluster.kubeconfig))
}
const of = (who: keyof typeof programs, field: keyof Followed) => median(measured[who].map((one) => one[field]))
const against = (field: keyof Followed) => ({ label: "client-node's informer", value: of('theirs', field) })

report({
  name: 'kube-informer',
  about: `The reflector and cache of kube/ against the informer of @kubernetes/client-node, each in a process of its own, on ${count.toLocaleString('en-US')} VMs in a real kube-apiserver; medians of ${ROUNDS} turns.`,
  figures: [
    {
      label: 'from start to synced',
      value: of('ours', 'syncedMs'),
      unit: 'ms',
      against: against('syncedMs'),
      expected: 'a third',
    },
    {
      label: 'processor time until synced',
      value: of('ours', 'cpuMs'),
      unit: 'ms',
      against: against('cpuMs'),
    },
    {
      label: 'resident memory once synced',
      value: of('ours', 'residentMiB'),
      unit: 'MiB',
      against: against('residentMiB'),
      expected: 'half',
    },
    {
      label: 'most resident memory on the way',
      value: of('ours', 'peakMiB'),
      unit: 'MiB',
      against: against('peakMiB'),
    },
    {
      label: 'heap once synced',
      value: of('ours', 'heapMiB'),
      unit: 'MiB',
      against: against('heapMiB'),
    },
  ],
})
