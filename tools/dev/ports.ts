/**
 * Which ports the servers of `make dev` listen on: the documented ones and last time's where they are free. Only `SKYCLUST_API_PORT` is a wish that
 * is fulfilled or refused.
 */
import { isFree } from '../free-port.ts'
import type { Ports } from './processes.ts'
import type { DevState } from './state.ts'

/** Throws one line where `SKYCLUST_API_PORT` cannot be had. */
export async function choosePorts(state: DevState, environment: NodeJS.ProcessEnv): Promise<Ports> {
  return {
    api: await wishedPort(environment.SKYCLUST_API_PORT || '0', state),
    controllerMetrics: await state.port('controller-metrics', 8081),
    apiMetrics: await state.port('api-metrics', 8082),
    sim: await state.port('sim'),
  }
}

async function wishedPort(wish: string, state: DevState): Promise<number> {
  const port = /^\d+$/.test(wish) ? Number(wish) : Number.NaN
  if (!(port <= 65_535)) throw new Error(`SKYCLUST_API_PORT is "${wish}"; it is a port from 0 to 65535`)
  if (port === 0) return state.port('api', 8080)
  if (!(await isFree(port)) || !(await state.claim('api', port))) {
    throw new Error(
      `port ${port} is in use: stop what listens there, or set SKYCLUST_API_PORT to another (0: any that is free)`,
    )
  }
  return port
}
