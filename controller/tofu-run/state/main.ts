/**
 * States by hand, for the operator: `node controller/tofu-run/state/main.ts --help`.
 *
 * It acts as whoever the kubeconfig names, who must be able to read and write Secrets of the installation's namespace. What it writes, it writes as a
 * run does: it takes the stack, and is refused while a run has it. Nothing is overwritten: an import or a restore is a new version on top.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { parseArgs } from 'node:util'
import { namespaceType } from '../../../kube/builtin-types.ts'
import { kubeClient } from '../../../kube/client.ts'
import { loadCluster } from '../../../kube/cluster.ts'
import { blobStore } from './blob-store.ts'
import { keyring } from './keyring.ts'
import { secretObjects } from './secret-objects.ts'
import { stateCommands } from './state-commands.ts'
import { stateStore } from './state-store.ts'

const help = `node controller/tofu-run/state/main.ts COMMAND [--namespace NAMESPACE] [--stack STACK] [--version N] [--file FILE]

  list         versions of the state of a stack, and who has the stack
  export       the state, or --version N of it, on stdout
  import       makes --file the state
  restore      makes --version N the state again
  release      frees a stack whose run is gone, with its lock
  rotate-key   new states are sealed with a new key from now on; the old ones stay readable

  --namespace  of the stack; --stack is "default" when left out
  SKYCLUST_NAMESPACE  where the installation keeps states (skyclust-system)
  SKYCLUST_TOFU_STATE_VERSIONS  how many versions are kept (10)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    namespace: { type: 'string' },
    stack: { type: 'string', default: 'default' },
    version: { type: 'string' },
    file: { type: 'string' },
    help: { type: 'boolean' },
  },
})

const client = kubeClient({
  cluster: loadCluster({ environment: process.env, home: homedir() }),
  fieldManager: 'skyclust-state',
})
const secrets = secretObjects(client, process.env.SKYCLUST_NAMESPACE || 'skyclust-system')
const now = () => Date.now()
const keys = keyring({ secrets, randomBytes, now })
const blobs = blobStore({ secrets, keyring: keys, randomBytes, now })
const keepVersions = Number(process.env.SKYCLUST_TOFU_STATE_VERSIONS || 10)
const commands = stateCommands({
  states: stateStore({ secrets, blobs, now, keepVersions }),
  keys,
  now,
  newId: randomUUID,
})

async function stack() {
  const { namespace } = values
  if (namespace === undefined) throw new Error('--namespace is missing: the namespace of the stack')
  const { metadata } = await client.get(namespaceType, { name: namespace })
  return { namespace, namespaceUid: metadata.uid, name: values.stack }
}

function version(): number {
  const wanted = Number(values.version)
  if (!Number.isInteger(wanted)) throw new Error('--version N is missing: a number that `list` shows')
  return wanted
}

async function run(command: string | undefined): Promise<string | Buffer> {
  switch (values.help ? undefined : command) {
    case 'list':
      return commands.list(await stack())
    case 'export':
      return commands.export(await stack(), values.version === undefined ? undefined : version())
    case 'import':
      if (values.file === undefined) throw new Error('--file is missing: the state file to import')
      return commands.import(await stack(), await readFile(values.file))
    case 'restore':
      return commands.restore(await stack(), version())
    case 'release':
      return commands.release(await stack())
    case 'rotate-key':
      return commands.rotateKey()
    default:
      return help
  }
}

try {
  process.stdout.write(await run(positionals[0]))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await client.close()
}
