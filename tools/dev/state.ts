/**
 * What `make dev` keeps in `.dev/` from one day to the next, and what it tells others while it runs.
 *
 * Guarantees: readable by its owner alone; files appear whole; `.dev/env` is there only while what it names is up (or was killed).
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, isFree } from '../free-port.ts'
import { writePrivateFile } from '../kubeconfig.ts'
import { type PortClaims, portClaims } from './port-claims.ts'

/** The `KEY=value` lines of `.dev/env`: a promise to scripts. */
export interface PublishedEnvironment {
  readonly API_URL: string
  readonly KUBECONFIG: string
  readonly ADMIN_EMAIL: string
  readonly ADMIN_PASSWORD: string
  readonly CONTROLLER_PID: string
  readonly API_PID: string
  readonly SIM_URL: string
}

export interface Administrator {
  readonly email: string
  readonly password: string
}

export interface DevState {
  readonly directory: string
  readonly logDirectory: string
  /** The port this server had last time if it is free, else `preferred` if that is free, else any; remembered. */
  port(server: string, preferred?: number): Promise<number>
  /** No other server gets this port, nor another `make dev`. False when it is another's already. */
  claim(server: string, port: number): Promise<boolean>
  /** Whom `SKYCLUST_ADMIN_EMAIL` and `SKYCLUST_ADMIN_PASSWORD` name; otherwise made up. Kept from the first time. */
  administrator(environment: NodeJS.ProcessEnv): Promise<Administrator>
  publish(environment: PublishedEnvironment): Promise<void>
  withdraw(): Promise<void>
  /** Lets others have the ports. */
  releasePorts(): Promise<void>
}

export async function devState(directory: string, claims: PortClaims = portClaims()): Promise<DevState> {
  const logDirectory = join(directory, 'logs')
  await mkdir(logDirectory, { recursive: true, mode: 0o700 })
  const portsFile = join(directory, 'ports.json')
  const administratorFile = join(directory, 'administrator.json')
  const environmentFile = join(directory, 'env')
  const ports = await readJson<Record<string, number>>(portsFile, {})

  async function claim(server: string, port: number): Promise<boolean> {
    if (!(await claims.claim(port))) return false
    ports[server] = port
    await writePrivateFile(portsFile, JSON.stringify(ports))
    return true
  }

  /** Two servers never share a number, not even while neither has started yet. */
  async function claimIfFree(server: string, port: number): Promise<boolean> {
    const isOthers = Object.entries(ports).some(([other, number]) => other !== server && number === port)
    return !isOthers && (await isFree(port)) && (await claim(server, port))
  }

  return {
    directory,
    logDirectory,
    async port(server, preferred) {
      for (const port of [ports[server], preferred]) {
        if (port !== undefined && (await claimIfFree(server, port))) return port
      }
      for (;;) {
        const port = await freePort()
        if (await claim(server, port)) return port
      }
    },
    claim,
    async administrator({ SKYCLUST_ADMIN_EMAIL, SKYCLUST_ADMIN_PASSWORD }) {
      const kept = await readJson<Administrator | undefined>(administratorFile, undefined)
      if (kept !== undefined) return kept
      const made = {
        email: SKYCLUST_ADMIN_EMAIL || 'admin@example.com',
        password: SKYCLUST_ADMIN_PASSWORD || randomBytes(15).toString('base64url'),
      }
      await writePrivateFile(administratorFile, JSON.stringify(made))
      return made
    },
    async publish(environment) {
      const lines = Object.entries(environment).map(([key, value]) => `${key}=${value}\n`)
      await writePrivateFile(environmentFile, lines.join(''))
    },
    withdraw: () => rm(environmentFile, { force: true }),
    releasePorts: () => claims.release(),
  }
}

/** One log a process and a run; the run before is kept beside it. */
export async function freshLog(logDirectory: string, name: string): Promise<string> {
  const path = join(logDirectory, `${name}.log`)
  await rename(path, `${path}.1`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  return path
}

async function readJson<T>(path: string, otherwise: T): Promise<T> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? otherwise : (JSON.parse(text) as T)
}
