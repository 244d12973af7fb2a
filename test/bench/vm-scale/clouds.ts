/** The clouds on which the scale benchmark runs, each a process of its own, and what of it is another cloud's way. */
import { startMoto } from '../../cluster/moto.ts'
import { startProgram } from '../../cluster/program.ts'
import type { Load } from './load.ts'

export interface BenchCloud extends AsyncDisposable {
  readonly load: Load
  /** For the controller. */
  readonly env: Readonly<Record<string, string>>
  /** How many it has had; `undefined` where the cloud does not count. */
  readonly calls?: () => Promise<CloudCalls>
  /** As somebody else does, behind our back; `undefined` where nobody else is played. */
  readonly stopOutside?: (ids: readonly string[]) => Promise<void>
}

export interface CloudCalls {
  readonly reads: number
  readonly mutations: number
}

export interface BenchCloudKind {
  /** Behind "The VM controller on". */
  readonly about: string
  readonly sizes: readonly number[]
  /** How many VMs a second its documented limits let through, or an apiserver on two cores: how long to wait follows from it. */
  readonly vmsPerSecond: number
  /** How soon so many are meant to be Ready. */
  readonly readyWithin: (vms: number) => string
  /** How many calls to stop so many are meant to take. */
  readonly stopCalls: (vms: number) => number
  readonly start: () => Promise<BenchCloud>
}

export const benchClouds = {
  sim: {
    about: 'the sim cloud',
    sizes: [100, 1000, 10_000, 30_000],
    vmsPerSecond: 10,
    readyWithin: () => 'at most 1.5 times',
    stopCalls: () => 20,
    async start() {
      const program = startProgram({ main: 'clouds/sim/main.ts' })
      const url = String((await program.logged(({ msg }) => msg === 'the simulated cloud is up')).url)
      return {
        load: {
          provider: 'sim',
          region: 'sim-1',
          secret: { access_key: 'bench', secret_key: 'bench' },
          spec: { instanceType: 't3.micro', image: 'ami-0abcdef1234567890' },
        },
        env: { SKYCLUST_SIM_URL: url },
        calls: () => counted(`${url}/calls`),
        async stopOutside(ids) {
          await fetch(`${url}/outside`, { method: 'POST', body: JSON.stringify({ action: 'stop', ids }) })
        },
        [Symbol.asyncDispose]: async () => void (await program.stop(0)),
      }
    },
  },
  gce: {
    about:
      'a server that speaks Compute Engine, of whose documented rate creates, starts and stops have 8 a second each',
    sizes: [10_000],
    vmsPerSecond: 5,
    readyWithin: (vms) => `the rate alone takes ${Math.round(Math.max(0, vms - 100) / 8)} s`,
    stopCalls: (vms) => vms,
    async start() {
      const program = startProgram({ main: 'test/gce/main.ts' })
      const { url, key, calls } = await program.logged(({ msg }) => msg === 'Compute Engine is up')
      return {
        load: {
          provider: 'gcp',
          region: 'us-central1',
          secret: { service_account_key: String(key) },
          spec: { instanceType: 'e2-micro', image: 'debian-cloud/debian-12' },
        },
        env: { SKYCLUST_GCP_ENDPOINT: String(url) },
        calls: () => counted(String(calls)),
        [Symbol.asyncDispose]: async () => void (await program.stop(0)),
      }
    },
  },
  moto: {
    about: 'moto, which speaks EC2, whose documented rate is 2 creates a second',
    sizes: [1000],
    vmsPerSecond: 1,
    readyWithin: (vms) => `the rate alone takes ${Math.round(vms / 2)} s`,
    stopCalls: () => 20,
    async start() {
      const moto = await startMoto()
      return {
        load: {
          provider: 'aws',
          region: 'us-east-1',
          secret: { access_key: 'bench', secret_key: 'bench' },
          spec: { instanceType: 't3.micro', image: 'ami-12c6146b' },
        },
        env: { AWS_ENDPOINT_URL: moto.url },
        [Symbol.asyncDispose]: () => moto.stop(),
      }
    },
  },
} as const satisfies Record<string, BenchCloudKind>

export function benchCloud(name: string): BenchCloudKind {
  const found = Object.entries(benchClouds).find(([key]) => key === name)
  if (!found) throw new Error(`VM_SCALE_CLOUD is "${name}"; it is one of ${Object.keys(benchClouds).join(', ')}`)
  return found[1]
}

async function counted(url: string): Promise<CloudCalls> {
  return (await (await fetch(url)).json()) as CloudCalls
}
