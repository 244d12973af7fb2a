/**
 * A process with a cache, a leader election and an event recorder on the API server at `argv[2]`, in the namespace `argv[3]`. At SIGTERM
 * it stops them, logs which handles that it did not have before are left, and ends only if none of them keeps it alive.
 */
import { configMapType } from '../../kube/builtin-types.ts'
import { cache } from '../../kube/cache.ts'
import { kubeClient } from '../../kube/client.ts'
import { eventRecorder } from '../../kube/events.ts'
import { leaderElection } from '../../kube/leader-election.ts'
import { accessTo } from './workbench.ts'

const [server = '', namespace = ''] = process.argv.slice(2)
const log = (record: object) => console.log(JSON.stringify(record))
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort(new Error('stopped')))
log({ msg: 'starting' }) // stdout is a handle too, once it was written to
const before = process.getActiveResourcesInfo()

const client = kubeClient({ cluster: accessTo(new URL(server)), fieldManager: 'kube-test' })
const { signal } = stop
const lease = { namespace, name: 'leader' }
const election = leaderElection({ client, lease, identity: 'me', signal, onStarted: () => log({ msg: 'leads' }) })
const recorder = eventRecorder({ client, reportingController: 'example.com/test', reportingInstance: 'one' })
const cached = cache(client, configMapType, {
  namespace,
  signal,
  onChange: ({ object }) => recorder.record(object, { type: 'Normal', reason: 'Seen', message: 'seen' }),
  onReflectorEvent: ({ type }) => log({ msg: type }),
})

await cached.done
await election.done
await recorder.close()
await client.close()
await new Promise((resolve) => setImmediate(resolve))
const left = process.getActiveResourcesInfo()
for (const kind of before) if (left.includes(kind)) left.splice(left.indexOf(kind), 1)
log({ msg: 'stopped', left })
process.removeAllListeners('SIGTERM')
