/** Operations of a project: begun at once, carried out when their time has come, kept to be asked for. */
import type { GceOperation } from '../../clouds/gcp/compute-types.ts'
import { invalidField, notFound } from './refusal.ts'
import type { GceSettings, GceTime } from './settings.ts'

export interface Failure {
  readonly code: string
  readonly message: string
  readonly status: number
}

export interface NewOperation {
  readonly type: string
  readonly zone: string
  readonly targetId: string
  readonly targetLink: string
  readonly user: string
  readonly requestId: string | undefined
  readonly takesMs: number
  /** At its end. Gives why it failed. */
  readonly carryOut: () => Failure | undefined
}

export interface Operations {
  begin(operation: NewOperation): GceOperation
  /** The operation that this id began not long ago. Throws for what is no UUID. */
  repeated(requestId: string | undefined): GceOperation | undefined
  /** Carries out those whose time has come. */
  settle(): void
  get(zone: string, name: string): GceOperation
  /** Resolves when it is done, or as soon as `signal` is aborted. */
  wait(zone: string, name: string, signal: AbortSignal): Promise<GceOperation>
  list(): readonly GceOperation[]
}

interface Kept {
  shown: GceOperation & { readonly id: string; readonly clientOperationId?: string }
  readonly endsAt: number
  readonly carryOut: () => Failure | undefined
}

export function operations(settings: GceSettings, rootOf: () => string, time: GceTime): Operations {
  const kept = new Map<string, Kept>()
  const byRequest = new Map<string, { readonly key: string; readonly until: number }>()

  function settle(): void {
    const due = [...kept.values()].filter(({ shown, endsAt }) => shown.status !== 'DONE' && endsAt <= time.now())
    for (const operation of due.sort((a, b) => a.endsAt - b.endsAt)) {
      const failure = operation.carryOut()
      operation.shown = {
        ...operation.shown,
        status: 'DONE',
        endTime: timestamp(time),
        ...(failure && {
          error: { errors: [{ code: failure.code, message: failure.message }] },
          httpErrorStatusCode: failure.status,
          httpErrorMessage: failure.status === 403 ? 'FORBIDDEN' : 'SERVICE UNAVAILABLE',
        }),
      }
    }
  }

  /** By name or id. */
  function find(zone: string, key: string): Kept {
    const found = kept.get(`${zone}/${key}`) ?? [...kept.values()].find(({ shown }) => shown.id === key)
    if (!found) throw notFound(`projects/p/zones/${zone}/operations/${key}`)
    return found
  }

  return {
    settle,
    list: () => [...kept.values()].map(({ shown }) => shown),
    get: (zone, name) => find(zone, name).shown,

    begin({ type, zone, targetId, targetLink, user, requestId, takesMs, carryOut }) {
      const name = `operation-${time.now()}-${Math.floor(time.random() * 2 ** 40).toString(16)}`
      const shown = {
        kind: 'compute#operation',
        id: freshId(time),
        name,
        zone: `${rootOf()}/zones/${zone}`,
        operationType: type,
        targetId,
        targetLink,
        user,
        status: 'RUNNING' as const,
        insertTime: timestamp(time),
        startTime: timestamp(time),
        selfLink: `${rootOf()}/zones/${zone}/operations/${name}`,
        ...(requestId && { clientOperationId: requestId }),
      }
      kept.set(`${zone}/${name}`, { shown, endsAt: time.now() + takesMs, carryOut })
      if (requestId) byRequest.set(requestId, { key: `${zone}/${name}`, until: time.now() + settings.requestIdMs })
      return shown
    },

    repeated(requestId) {
      if (requestId === undefined) return undefined
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(requestId) || /^[0-]+$/.test(requestId)) {
        throw invalidField('requestId', requestId, 'The request ID must be a valid UUID.')
      }
      const earlier = byRequest.get(requestId)
      return earlier && time.now() < earlier.until ? kept.get(earlier.key)?.shown : undefined
    },

    async wait(zone, name, signal) {
      const { endsAt } = find(zone, name)
      await time.sleep(Math.max(0, endsAt - time.now()) + 1, signal).catch(() => undefined)
      settle()
      return find(zone, name).shown
    },
  }
}

/** As Google writes times. */
export function timestamp({ now }: GceTime): string {
  return new Date(now()).toISOString().replace('Z', '+00:00')
}

/** Google's ids are numbers of 64 bits. */
export function freshId({ random }: GceTime): string {
  return String(Math.floor((1 + 7 * random()) * 1e6)) + String(Math.floor(random() * 1e12)).padStart(12, '0')
}
