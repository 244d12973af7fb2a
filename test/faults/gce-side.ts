/**
 * Compute Engine in the cloud's place: the real provider, which talks HTTP to the server of `test/gce`, and both live in the
 * world's time. It stands still while a request is on its way, but for one that the server itself makes wait.
 */
import { Agent, fetch, type RequestInit, Response } from 'undici'
import { type GcpOutside, gcpConnections } from '../../clouds/gcp/connections.ts'
import { gcpCloud } from '../../clouds/gcp/gcp-cloud.ts'
import { instanceFrom } from '../../clouds/gcp/instances.ts'
import { labelKeysOf, labelsFrom } from '../../clouds/gcp/labels.ts'
import type { OutsideChange } from '../../clouds/sim/settings.ts'
import { ACCOUNT, PROJECT } from '../gce/accounts.ts'
import { type Gce, OUTSIDER, startGce } from '../gce/gce-server.ts'
import { type StoredInstance, zoneOf } from '../gce/project.ts'
import { GceRefusal } from '../gce/refusal.ts'
import { isMutation } from '../gce/routes.ts'
import type { GceSettings } from '../gce/settings.ts'
import type { CloudSide } from './cloud-side.ts'
import { liveness } from './liveness.ts'
import type { Chance } from './random.ts'
import type { SideEffect } from './side-effects.ts'
import type { Process, VirtualTime } from './virtual-time.ts'

export interface GceMood {
  readonly gce: Partial<GceSettings>
  /** Which zones are full changes all the time. */
  readonly fullZones?: boolean
  /** One call in twenty fails, is done and not answered, or is never answered. */
  readonly failing?: boolean
}

const region = 'us-central1'
const zones = ['us-central1-a', 'us-central1-b', 'us-central1-c'] as const
const rearrangedMs = 30_000

/** How a call fails, and how often, as in the mood of the simulated cloud that is called the same. */
const failures = [
  { share: 0.02, what: 'unavailable' },
  { share: 0.01, what: 'throttled' },
  { share: 0.01, what: 'lost' },
  { share: 0.01, what: 'never' },
] as const
type Failure = (typeof failures)[number]['what']

const refusals = {
  unavailable: { status: 503, reason: 'backendError', message: 'Service unavailable. Please try again.' },
  throttled: { status: 403, reason: 'rateLimitExceeded', message: 'Rate Limit Exceeded' },
} as const

/** About as long as Google's own take. */
const durations = { insertMs: 6_000, startMs: 5_000, stopMs: 25_000, deleteMs: 40_000, changeMs: 2_000 }

export interface GceSide extends CloudSide {
  readonly gce: Gce
}

export async function gceSide(mood: GceMood, time: VirtualTime, random: Chance): Promise<GceSide> {
  const requests = oneByOne(time)
  const sleep: VirtualTime['sleep'] = (ms, signal) => requests.whileWaiting(() => time.sleep(ms, signal))
  const gce = await startGce({ ...durations, ...mood.gce }, { now: time.now, sleep, random: random.next })
  const dispatcher = new Agent()
  const seen = { instances: () => gce.instances().map(shown) }
  const watched = liveness(seen)
  if (mood.fullZones) rearrange()

  function rearrange(): void {
    gce.settings.fullZones = zones.filter(() => random.happens(0.4))
    time.clock.after(rearrangedMs, rearrange)
  }

  /** One that is being deleted is stopping, as far as its own description goes. */
  function shown(stored: StoredInstance) {
    const isEnding = gce.project.operations
      .list()
      .some(
        ({ operationType, targetId, status }) =>
          operationType === 'delete' && targetId === stored.id && status !== 'DONE',
      )
    return { ...instanceFrom(stored), ...(isEnding && { state: 'terminating' as const }) }
  }

  function failure(): Failure | undefined {
    if (!mood.failing) return undefined
    let drawn = random.next()
    return failures.find(({ share }) => {
      drawn -= share
      return drawn < 0
    })?.what
  }

  async function answered(url: string, init: RequestInit): Promise<Response> {
    const answer = await fetch(url, { ...init, dispatcher })
    return new Response(await answer.text(), { status: answer.status, headers: answer.headers })
  }

  /** One that is never answered is not on its way any more: time goes on until whoever asked gives up. */
  async function sent(url: string, init: RequestInit): Promise<Response> {
    const fails = failure()
    if (fails === 'unavailable' || fails === 'throttled') return refused(refusals[fails])
    const answer = await requests.send(() => answered(url, init)).finally(watched.check)
    if (fails === 'lost') throw new TypeError('fetch failed')
    if (fails === 'never') await givenUp(init.signal)
    return answer
  }

  function outsideOf(process: Process, sideEffect: SideEffect): GcpOutside {
    return {
      now: process.clock.now,
      wallClock: time.now,
      sleep: process.sleep,
      fetch(url, init) {
        const send = () => sent(url, init)
        const what = mutationIn(url, init)
        if (what === undefined) return process.deliver(send())
        return sideEffect(process, { kind: 'cloud', what }, send, () => new TypeError('fetch failed'))
      },
    }
  }

  /** At once, wherever there is room. */
  function launch() {
    const { insertMs, fullZones } = gce.settings
    Object.assign(gce.settings, { insertMs: 0, fullZones: [] })
    const operation = gce.project.insert({ zone: zones[0], user: OUTSIDER.user }, launched)
    const made = gce.project.find(zones[0], operation.targetId ?? '')
    Object.assign(gce.settings, { insertMs, fullZones })
    return shown(made)
  }

  function changed({ action, ...change }: Exclude<OutsideChange, { action: 'launch' }>, stored: StoredInstance): void {
    const call = { zone: zoneOf(stored), user: OUTSIDER.user }
    const { labelFingerprint, labels = {} } = stored
    const relabel = (next: Readonly<Record<string, string>>) =>
      gce.project.setLabels(call, stored.id, { labels: next, labelFingerprint })
    if (action === 'start') gce.project.start(call, stored.id, 'start')
    else if (action === 'stop') gce.project.stop(call, stored.id)
    else if (action === 'interrupt') gce.project.stop(call, stored.id, 'compute.instances.preempted')
    else if (action === 'terminate') gce.project.delete(call, stored.id)
    else if ('instanceType' in change) {
      const machineType = `zones/${call.zone}/machineTypes/${change.instanceType}`
      gce.project.setMachineType(call, stored.id, { machineType })
    } else if ('tags' in change) relabel({ ...labels, ...labelsFrom(change.tags) })
    else if ('keys' in change) {
      const gone = new Set(change.keys.flatMap(labelKeysOf))
      relabel(Object.fromEntries(Object.entries(labels).filter(([key]) => !gone.has(key))))
    }
  }

  function changedIfPossible(...[change, stored]: Parameters<typeof changed>): void {
    try {
      changed(change, stored)
    } catch (error) {
      if (!(error instanceof GceRefusal)) throw error
    }
  }

  return {
    gce,
    provider: 'gcp',
    region,
    account: PROJECT,
    keepsSpot: true,
    cloudFor(process, sideEffect) {
      const identity = {
        email: async () => ACCOUNT,
        projectID: async () => PROJECT,
        authorization: async () => `Bearer ${gce.accounts.issue()}`,
        forget: () => undefined,
      }
      return gcpCloud({ identity, region, connections: gcpConnections(gce.url, outsideOf(process, sideEffect)) })
    },
    instances: seen.instances,
    outside(change) {
      if (change.action === 'launch') return [launch()]
      const all = gce.instances().filter(({ id }) => change.ids.includes(id))
      for (const stored of all) changedIfPossible(change, stored)
      return all.map(shown)
    },
    refuse(refuses) {
      gce.settings.apiEnabled = !refuses
    },
    get mutations() {
      return gce.calls.filter(isMutation).length
    },
    breaches: watched.breaches,
    async end() {
      await gce.stop()
      await dispatcher.destroy()
    },
  }
}

/**
 * One request at a time, in the order in which they are asked for, so that a life goes the same way each time; and while one is on
 * its way, time stands still.
 */
function oneByOne(time: VirtualTime) {
  let last = Promise.resolve()
  let current: { readonly wait: () => () => void } | undefined
  return {
    async send<T>(request: () => Promise<T>): Promise<T> {
      const before = last
      const { promise, resolve } = Promise.withResolvers<void>()
      last = promise
      let goOn = time.stop()
      let isOver = false
      await before
      current = {
        wait() {
          resolve()
          goOn()
          return () => {
            if (!isOver) goOn = time.stop()
          }
        },
      }
      try {
        return await request()
      } finally {
        isOver = true
        resolve()
        goOn()
      }
    },
    /** The one that is on its way waits itself for time to pass: neither time nor the next one waits for it. */
    async whileWaiting(pause: () => Promise<void>): Promise<void> {
      const resume = current?.wait()
      try {
        await pause()
      } finally {
        resume?.()
      }
    },
  }
}

function refused({ status, reason, message }: (typeof refusals)[keyof typeof refusals]): Response {
  return new Response(JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }), { status })
}

function givenUp(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

const launched = {
  name: 'somebody-elses',
  machineType: `zones/${zones[0]}/machineTypes/e2-micro`,
  disks: [{ boot: true, initializeParams: { sourceImage: 'projects/debian-cloud/global/images/family/debian-12' } }],
  networkInterfaces: [{ network: 'global/networks/default' }],
}

/** Such as `POST start`; `undefined` for what only reads, or waits. */
function mutationIn(url: string, { method = 'GET' }: RequestInit): string | undefined {
  const verb = /\/([a-zA-Z]+)$/.exec(new URL(url).pathname)?.[1] ?? ''
  return method === 'GET' || verb === 'wait' ? undefined : `${method} ${verb}`.trim()
}
