/**
 * A process that wants to lead, and while it does makes a ConfigMap named in order every few milliseconds: `argv` has the server, the
 * namespace and its name. Exits with 3 once it is deposed, with 0 at SIGTERM.
 */
import { configMapType } from '../../kube/builtin-types.ts'
import { kubeClient } from '../../kube/client.ts'
import { leaderElection } from '../../kube/leader-election.ts'
import { accessTo } from './workbench.ts'

const [server = '', namespace = '', name = ''] = process.argv.slice(2)
const log = (msg: string) => console.log(JSON.stringify({ msg }))
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort(new Error('SIGTERM')))

const cluster = accessTo(new URL(server))
const election = leaderElection({
  client: kubeClient({ cluster, fieldManager: name }),
  lease: { namespace, name: 'leader' },
  identity: name,
  durationMs: 6_000,
  deadlineMs: 4_500,
  renewMs: 500,
  signal: stop.signal,
  onStarted: () => log('leads'),
  onLost: (reason) => log(`lost: ${reason}`),
})
const client = kubeClient({
  cluster,
  fieldManager: name,
  guard() {
    if (!election.isLeader()) throw new Error('deposed')
  },
})

void (async () => {
  for (let act = 0; ; act++) {
    const metadata = { namespace, name: `${name}-${act}` }
    if (election.isLeader()) await client.create(configMapType, { metadata }).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})()
process.exit((await election.done) === 'released' ? 0 : 3)
