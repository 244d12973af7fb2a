/** Whether a cluster knows the kinds that a program needs, asked once before it starts. */
import type { KubeClient } from './client.ts'
import { errorFromAnswer } from './kube-error.ts'

const ANSWER_WITHIN_MS = 10_000

export interface NeededKinds {
  /** `example.com/v1`. */
  readonly apiVersion: string
  readonly kinds: readonly { readonly plural: string }[]
}

/** Throws an Error of one line when they are not served, or when it cannot be known. */
export async function requireKinds(
  client: Pick<KubeClient, 'raw'>,
  { apiVersion, kinds }: NeededKinds,
  signal: AbortSignal,
): Promise<void> {
  const { status, body } = await client.raw(`/apis/${apiVersion}`, { signal, timeoutMs: ANSWER_WITHIN_MS })
  if (status === 401) throw new Error('it does not accept our credentials')
  if (status !== 200 && status !== 404) {
    throw new Error(`it answers ${status} where its kinds are listed: ${errorFromAnswer(status, body).message}`)
  }
  const served = status === 404 ? [] : resourcesIn(body)
  const missing = kinds.filter(({ plural }) => !served.includes(plural)).map(({ plural }) => plural)
  if (missing.length === 0) return
  const others = status === 404 ? await otherVersions(client, apiVersion, signal) : []
  if (others.length > 0) {
    throw new Error(
      `it serves ${others.join(', ')} and no longer ${apiVersion}: run the release that its definitions are of`,
    )
  }
  throw new Error(`it does not serve ${missing.join(', ')} of ${apiVersion}: kubectl apply --server-side -f crds/yaml`)
}

/** Of the same group, which a program of another release speaks: `example.com/v2`. */
async function otherVersions(
  client: Pick<KubeClient, 'raw'>,
  apiVersion: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [group = ''] = apiVersion.split('/')
  const { status, body } = await client.raw(`/apis/${group}`, { signal, timeoutMs: ANSWER_WITHIN_MS })
  if (status !== 200) return []
  const { versions = [] } = JSON.parse(body) as { versions?: readonly { groupVersion: string }[] }
  return versions.map(({ groupVersion }) => groupVersion).filter((other) => other !== apiVersion)
}

function resourcesIn(body: string): readonly string[] {
  try {
    const { resources = [] } = JSON.parse(body) as { resources?: readonly { name: string }[] }
    return resources.map(({ name }) => name)
  } catch {
    throw new Error('what answers there is no Kubernetes API server')
  }
}
