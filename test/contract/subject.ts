/** What the contract is held against: a SkyClust that runs, whoever started it (installation.ts, dev-subject.ts). */
import type { Cluster } from '../cluster/cluster.ts'
import { type Person, person, rest } from './rest.ts'

export interface Subject {
  readonly cluster: Pick<Cluster, 'server' | 'kubectl' | 'kubectlWith'>
  readonly simUrl: string
  /** Of the facade, or the first one. */
  readonly url: string
  readonly auditFile: string
  /** Everything that the controller and the facades have logged so far. */
  logs(): Promise<string>
  /** The first administrator, logged in. */
  admin(): Promise<Person>
  /** Registers somebody new and logs them in. */
  newcomer(name: string): Promise<Person>
}

export const ADMIN = { email: 'admin@example.com', password: 'correct horse battery' }

/** Settings of a facade. A test asks more often than a person does; the limits have a test of their own. */
export const unhurried = {
  SKYCLUST_USER_RATE: '10000',
  SKYCLUST_USER_BURST: '10000',
  SKYCLUST_ADDRESS_RATE: '10000',
  SKYCLUST_ADDRESS_BURST: '10000',
}

/** Of both processes. Nobody is there: no test asks a cloud of the outside world for anything. */
export const noOutside = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9', SKYCLUST_GCP_ENDPOINT: 'http://127.0.0.1:9' }

/** Those who may be met at `url`, of which {@link ADMIN} is the administrator. */
export function peopleAt(url: string): Pick<Subject, 'admin' | 'newcomer'> {
  return {
    admin: () => person(url, { ...ADMIN, name: 'Administrator' }),
    async newcomer(name) {
      const account = {
        email: `${name.toLowerCase()}-${crypto.randomUUID().slice(0, 8)}@example.com`,
        password: 'pass word 1',
        name,
      }
      const registered = await rest(url).post('/api/v1/auth/register', { body: account })
      if (registered.status !== 201) throw new Error(`${name} could not register: ${registered.text}`)
      return person(url, account)
    },
  }
}
