/**
 * The environment of tofu, made anew: of the runner's own, only what finds programs and goes through a proxy.
 *
 * @see https://opentofu.org/docs/language/settings/backends/http/ for TF_HTTP_*; in the environment they are kept out of plan files.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const passedOn = [
  'PATH',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]

/** What the operator gives beside it: an endpoint is theirs to set, never a tenant's. */
const operators = /^AWS_ENDPOINT_URL(_[A-Z0-9_]+)?$/

export async function tofuEnvironment(options: {
  readonly url: string
  readonly workFolder: string
  readonly environment: Readonly<Record<string, string | undefined>>
}): Promise<Record<string, string>> {
  const { url, workFolder, environment } = options
  const own = Object.entries(environment).filter(([name]) => passedOn.includes(name) || operators.test(name))
  const state = `${url}/state`
  const cache = environment.SKYCLUST_TOFU_PLUGIN_CACHE
  if (cache) await mkdir(cache, { recursive: true })
  return {
    ...(Object.fromEntries(own) as Record<string, string>),
    HOME: join(workFolder, 'home'),
    TMPDIR: join(workFolder, 'tmp'),
    LANG: 'C.UTF-8',
    TF_IN_AUTOMATION: '1',
    TF_INPUT: '0',
    CHECKPOINT_DISABLE: '1',
    TF_CLI_CONFIG_FILE: await cliConfig(workFolder, environment),
    ...(cache ? { TF_PLUGIN_CACHE_DIR: cache } : {}),
    TF_HTTP_ADDRESS: state,
    TF_HTTP_LOCK_ADDRESS: state,
    TF_HTTP_UNLOCK_ADDRESS: state,
    TF_HTTP_USERNAME: 'run', // the password comes with the bundle
    // An apiserver that is away for a minute in the middle of an apply is waited for: 1 + 2 + 4 + 8 + 15 × 8 s.
    TF_HTTP_RETRY_MAX: '12',
    TF_HTTP_RETRY_WAIT_MIN: '1',
    TF_HTTP_RETRY_WAIT_MAX: '15',
  }
}

/** The operator's own file, or one that finds providers in the operator's folder, or one that says nothing. */
async function cliConfig(
  workFolder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (environment.SKYCLUST_TOFU_CLI_CONFIG) return environment.SKYCLUST_TOFU_CLI_CONFIG
  const folder = environment.SKYCLUST_TOFU_PLUGIN_DIR
  const mirror = `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(folder)}\n  }\n}\n`
  const file = join(workFolder, 'tofu.rc')
  await mkdir(workFolder, { recursive: true, mode: 0o700 })
  await writeFile(file, folder ? mirror : '')
  return file
}
