/**
 * Gathers what a phase of a run needs: sources, variables and credentials, read with the controller's own rights.
 *
 * A reference is a request to read with our rights: whoever may create a run could otherwise have a Secret printed that they may
 * not read. So a Secret serves variables or git only if it is an ordinary one (`Opaque`, `kubernetes.io/basic-auth`,
 * `kubernetes.io/ssh-auth`) that no Credential and no VM refers to and that carries none of our labels or finalizers.
 */
import type { TofuRun } from '../../crds/tofu-run.ts'
import { configMapType, type Secret, secretType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import type { KubeObject, ResourceType } from '../../kube/resource.ts'
import { type HandedOver, handOver } from './credential-environment.ts'
import { milliseconds } from './duration.ts'
import { type Bundle, type GitSource, type RunLimits, sourcePath } from './protocol.ts'
import type { RunPhase } from './state/stack-head.ts'

/** What of a Credential matters here. */
export interface CredentialObject extends KubeObject {
  readonly spec: {
    readonly provider: string
    readonly source?: string
    readonly secretRef?: { readonly name: string } | undefined
    readonly region?: string | undefined
    readonly aws?: { readonly roleARN?: string; readonly externalID?: string } | undefined
    readonly gcp?: { readonly projectID?: string } | undefined
  }
}

interface VirtualMachine extends KubeObject {
  readonly spec: { readonly userDataSecretRef?: { readonly name: string } | undefined }
}

/** Something in the spec or in what it refers to is not as it must be: field, and remedy. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput'
  /** It refers to what does not exist, and may have been applied in the wrong order. */
  readonly mayAppear: boolean

  constructor(message: string, mayAppear = false) {
    super(message)
    this.mayAppear = mayAppear
  }
}

const group = { group: 'skyclust.io', version: 'v1alpha1', namespaced: true } as const
const credentialType: ResourceType<CredentialObject> = { ...group, kind: 'Credential', plural: 'credentials' }
const vmType: ResourceType<VirtualMachine> = { ...group, kind: 'VM', plural: 'vms' }

const ordinarySecrets = new Set(['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/ssh-auth'])
const variableName = /^[A-Za-z_][A-Za-z0-9_-]*$/

export interface RunInputs {
  /** @throws InvalidInput naming the field and what to do. */
  bundle(run: TofuRun, phase: RunPhase, signal?: AbortSignal): Promise<Omit<Bundle, 'stateToken'>>
}

export function runInputs(options: {
  readonly client: KubeClient
  readonly limits: RunLimits
  readonly firstGraceMs: number
  readonly secondGraceMs: number
}): RunInputs {
  const { client, limits, firstGraceMs, secondGraceMs } = options

  async function find<T extends KubeObject>(type: ResourceType<T>, namespace: string, name: string, field: string) {
    try {
      return await client.get(type, { namespace, name })
    } catch (error) {
      if (!isNotFound(error)) throw error
      throw new InvalidInput(`${field}: there is no ${type.kind} ${name} in ${namespace}; create it.`, true)
    }
  }

  async function ordinarySecret(namespace: string, name: string, field: string): Promise<Record<string, string>> {
    const secret = await find(secretType, namespace, name, field)
    if (await servesSomethingElse(secret, namespace)) {
      throw new InvalidInput(
        `${field}: Secret ${name} serves something else and is not read for a run; use a Secret of its own.`,
      )
    }
    return decoded(secret)
  }

  async function servesSomethingElse(secret: Secret, namespace: string): Promise<boolean> {
    const { name, labels = {}, finalizers = [] } = secret.metadata
    if (!ordinarySecrets.has(secret.type ?? 'Opaque') || finalizers.some((one) => one.startsWith('skyclust.io/')))
      return true
    if (labels['app.kubernetes.io/managed-by'] === 'skyclust' && labels['skyclust.io/tofu-variables'] !== 'true')
      return true
    const [credentials, vms] = await Promise.all([
      client.list(credentialType, { namespace }),
      client.list(vmType, { namespace }),
    ])
    return (
      credentials.items.some(({ spec }) => spec.secretRef?.name === name) ||
      vms.items.some(({ spec }) => spec.userDataSecretRef?.name === name)
    )
  }

  async function sourceOf(run: TofuRun, namespace: string): Promise<{ source: Bundle['source']; secrets: string[] }> {
    const { inline, configMapRef, git } = run.spec.source
    if (inline !== undefined)
      return { source: { kind: 'files', files: checkedFiles(inline, 'spec.source.inline') }, secrets: [] }
    if (configMapRef !== undefined) {
      const field = 'spec.source.configMapRef'
      const { data = {}, binaryData = {} } = await find(configMapType, namespace, configMapRef.name, field)
      const binary = Object.keys(binaryData)
      if (binary.length > 0) {
        const files = binary.map((key) => JSON.stringify(key)).join(', ')
        throw new InvalidInput(
          `${field}: ${files} of ConfigMap ${configMapRef.name} is no UTF-8 text (binaryData); write it as UTF-8, or use a git source.`,
        )
      }
      return { source: { kind: 'files', files: checkedFiles(data, field) }, secrets: [] }
    }
    if (git === undefined) throw new InvalidInput('spec.source: give one of inline, configMapRef and git.')
    const login =
      git.secretRef &&
      gitLogin(await ordinarySecret(namespace, git.secretRef.name, 'spec.source.git.secretRef'), git.url)
    const source: GitSource = { url: git.url, ref: git.ref, path: git.path, ...(login === undefined ? {} : { login }) }
    const secrets = login === undefined ? [] : [login.kind === 'password' ? login.password : login.privateKey]
    return { source: { kind: 'git', git: source }, secrets }
  }

  async function variablesOf(run: TofuRun, namespace: string) {
    const variables: Record<string, string> = {}
    const secrets: string[] = []
    for (const [index, { secretRef }] of (run.spec.variablesFrom ?? []).entries()) {
      const field = `spec.variablesFrom[${index}].secretRef`
      for (const [name, value] of Object.entries(await ordinarySecret(namespace, secretRef.name, field))) {
        if (!variableName.test(name))
          throw new InvalidInput(`${field}: the key ${name} of Secret ${secretRef.name} is no name of a variable.`)
        checkValue(value, `${field}: the value of the key ${name} of Secret ${secretRef.name}`)
        variables[name] = value
        secrets.push(value)
      }
    }
    for (const [name, value] of Object.entries(run.spec.variables ?? {})) {
      if (!variableName.test(name)) throw new InvalidInput(`spec.variables: ${name} is no name of a variable.`)
      checkValue(value, `spec.variables: the value of ${name}`)
      variables[name] = value
    }
    const bytes = Object.values(variables).reduce((all, value) => all + Buffer.byteLength(value), 0)
    if (bytes > mostVariableBytes) {
      throw new InvalidInput(
        'spec.variables and spec.variablesFrom: all values together have more than 1 MiB; put what is large into a file.',
      )
    }
    return {
      environment: Object.fromEntries(Object.entries(variables).map(([name, value]) => [`TF_VAR_${name}`, value])),
      secrets,
    }
  }

  async function credentialsOf(run: TofuRun, namespace: string): Promise<HandedOver> {
    const all: HandedOver = { environment: {}, secretFiles: {}, secrets: [] }
    const providers = new Map<string, string>()
    for (const [index, { name }] of (run.spec.credentialRefs ?? []).entries()) {
      const field = `spec.credentialRefs[${index}]`
      const { spec } = await find(credentialType, namespace, name, field)
      const other = providers.get(spec.provider)
      if (other !== undefined)
        throw new InvalidInput(`${field}: ${name} and ${other} are both for ${spec.provider}; name one of them.`)
      providers.set(spec.provider, name)
      if (spec.source === 'Ambient' || spec.secretRef === undefined) {
        throw new InvalidInput(`${field}: Credential ${name} has no Secret; a run can only use one that has.`)
      }
      const secret = await find(secretType, namespace, spec.secretRef.name, field)
      const handed = handOver(spec, decoded(secret))
      if ('missing' in handed)
        throw new InvalidInput(`${field}: Secret ${spec.secretRef.name} has no key ${handed.missing}.`)
      Object.assign(all.environment, handed.environment)
      Object.assign(all.secretFiles, handed.secretFiles)
      all.secrets.push(...handed.secrets)
    }
    return all
  }

  return {
    async bundle(run, phase) {
      const { namespace = '' } = run.metadata
      const { source, secrets } = await sourceOf(run, namespace)
      const variables = await variablesOf(run, namespace)
      const credentials = await credentialsOf(run, namespace)
      const planDigest = run.status?.plan?.digest
      return {
        phase,
        destroy: run.spec.command === 'destroy',
        source: phase === 'apply' ? { kind: 'planned' } : source,
        environment: { ...variables.environment, ...credentials.environment },
        secretFiles: credentials.secretFiles,
        secrets: [...secrets, ...variables.secrets, ...credentials.secrets],
        ...(planDigest === undefined ? {} : { planDigest }),
        timeoutMs: Math.max(1_000, milliseconds(run.spec.timeout)),
        limits,
        firstGraceMs,
        secondGraceMs,
      }
    },
  }
}

function checkedFiles(files: Readonly<Record<string, string>>, field: string): Record<string, string> {
  for (const path of Object.keys(files)) {
    const parsed = sourcePath.safeParse(path)
    if (!parsed.success)
      throw new InvalidInput(
        `${field}: ${JSON.stringify(path)} must be a relative path with /, without . and .., \\ and null characters`,
      )
    for (const part of path.split('/')) {
      if (Buffer.byteLength(part) > 255)
        throw new InvalidInput(
          `${field}: ${JSON.stringify(part)} is longer than the 255 bytes that a file's name may have.`,
        )
    }
    const folder = foldersOf(path).find((one) => one in files)
    if (folder !== undefined) {
      throw new InvalidInput(
        `${field}: ${JSON.stringify(folder)} is a file, and the folder of ${JSON.stringify(path)}; rename one of them.`,
      )
    }
  }
  return { ...files }
}

/** `a` and `a/b` of `a/b/main.tf`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}

/** Variables are handed over as the environment of tofu. @see https://man7.org/linux/man-pages/man2/execve.2.html MAX_ARG_STRLEN */
const mostValueBytes = 120 * 1024
const mostVariableBytes = 1024 * 1024

function checkValue(value: string, what: string): void {
  if (value.includes('\0') || value.includes('\ufffd'))
    throw new InvalidInput(`${what} is no UTF-8 text without null characters; encode it, such as in base64.`)
  if (Buffer.byteLength(value) > mostValueBytes)
    throw new InvalidInput(`${what} has more than 120 KiB, which no variable can hold; put it into a file.`)
}

function decoded(secret: Secret): Record<string, string> {
  const entries = Object.entries(secret.data ?? {})
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
}

function gitLogin(secret: Readonly<Record<string, string>>, url: string): GitSource['login'] {
  const field = 'spec.source.git.secretRef'
  const { token, username, password, 'ssh-privatekey': privateKey, known_hosts: knownHosts = '' } = secret
  const isHttp = /^https?:/.test(url)
  if (privateKey !== undefined && !isHttp) return { kind: 'sshKey', privateKey, knownHosts }
  const word = password ?? token
  if (word !== undefined && isHttp) return { kind: 'password', username: username ?? 'git', password: word }
  const wanted = isHttp ? '`token`, or `username` and `password`' : '`ssh-privatekey`'
  throw new InvalidInput(`${field}: the Secret needs ${wanted} for ${url}.`)
}
