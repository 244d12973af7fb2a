/**
 * The one list of providers. A new one is a folder with a `provider.ts`, a line in `makers`, and its name in the
 * resources' schema.
 */
import { awsProvider } from './aws/provider.ts'
import { gcpProvider } from './gcp/provider.ts'
import type { Provider } from './provider.ts'
import { type OnCall, reported, reportedCloud } from './reported-cloud.ts'
import { simProvider } from './sim/provider.ts'

export interface ProvidersOptions {
  /** Names of those that are on. */
  readonly enabled: readonly string[]
  /** Where the simulated cloud listens; needed only when `sim` is on. */
  readonly simUrl?: string
  /** A Compute Engine REST root other than Google's; the operator's to set. */
  readonly gcpEndpoint?: string
  /** How long a call may take. */
  readonly timeoutMs?: number
  /** Told of every call to a cloud, whoever makes it. */
  readonly onCall?: OnCall
}

export interface Providers {
  readonly all: readonly Provider[]
  /** Without regard to case; `undefined` for one that is unknown or off. */
  named(name: string): Provider | undefined
}

const makers = { aws: awsProvider, gcp: gcpProvider, sim: simProvider } as const satisfies Record<
  string,
  (options: ProvidersOptions) => Provider
>

/** Those that are on, in the order of this file. Connections are pooled in what it returns: make it once. */
export function providers(options: ProvidersOptions): Providers {
  const all = Object.entries(makers)
    .filter(([name]) => options.enabled.includes(name))
    .map(([, make]) => (options.onCall ? reporting(make(options), options.onCall) : make(options)))
  return { all, named: (name) => all.find((provider) => provider.name === name.toLowerCase()) }
}

/** The same provider, all of whose calls are told of. */
function reporting(provider: Provider, onCall: OnCall): Provider {
  const { name, listPrice } = provider
  return {
    ...provider,
    connect: (identity, region) => reportedCloud(provider.connect(identity, region), onCall),
    ...(listPrice && {
      listPrice: (identity, type, signal) =>
        reported(
          { provider: name, region: type.region, action: 'price', instances: 0 },
          () => listPrice(identity, type, signal),
          onCall,
        ),
    }),
  }
}
