/** What the controller can be told, beside what both processes share. */

import type { SettingValues } from '../config/settings.ts'
import { setting } from '../config/settings.ts'
import { sharedSettings } from '../config/shared-settings.ts'
import { dnsLabel, duration, flag, oneOf, port, text, uids, wholeNumber } from '../config/value-schemas.ts'
import { tracingSettings } from '../tracing/settings.ts'
import { tofuSettings } from './tofu-run/settings.ts'

export const controllerSettings = {
  ...sharedSettings,
  leaderElection: setting('SKYCLUST_LEADER_ELECTION', {
    schema: flag,
    default: 'true',
    help: 'Whether to act only while holding a Lease; false is for a single process.',
  }),
  shards: setting('SKYCLUST_SHARDS', {
    schema: wholeNumber({ min: 1, max: 64 }),
    default: '1',
    help: 'In how many parts replicas share the work, by namespace; the same for all of them. 1 is plain leader election.',
  }),
  identity: setting('SKYCLUST_IDENTITY', {
    schema: dnsLabel,
    help: "This replica's name in Leases; left out, the host's name and something random.",
  }),
  metricsHost: setting('SKYCLUST_METRICS_HOST', {
    schema: text,
    default: '127.0.0.1',
    help: 'Address for /metrics, /healthz and /readyz.',
  }),
  metricsPort: setting('SKYCLUST_METRICS_PORT', {
    schema: port,
    default: '8081',
    help: 'Port for /metrics, /healthz and /readyz; 0 picks one and logs it.',
  }),
  syncInterval: setting('SKYCLUST_SYNC_INTERVAL', {
    schema: duration({ min: '1s', max: '1h' }),
    default: '60s',
    help: 'How often each cloud account and region is observed.',
  }),
  ambientCredentials: setting('SKYCLUST_AMBIENT_CREDENTIALS', {
    schema: flag,
    default: 'false',
    help: "May a Credential use the controller's own identity (source: Ambient)?",
  }),
  formerClusters: setting('SKYCLUST_FORMER_CLUSTERS', {
    schema: uids,
    default: '',
    help: 'UIDs of clusters whose place this one has taken after a restore, comma-separated: VMs take over their instances (docs/backup.md).',
  }),
  orphans: setting('SKYCLUST_ORPHANS', {
    schema: oneOf('report', 'delete'),
    default: 'report',
    help: 'What to do with instances that carry our tags and have no VM: report them, or terminate them after the grace.',
  }),
  orphanGrace: setting('SKYCLUST_ORPHAN_GRACE', {
    schema: duration({ min: '1m', max: '720h' }),
    default: '1h',
    help: 'For how long an instance must have been seen without a VM before it is terminated.',
  }),
  ...tracingSettings,
  ...tofuSettings,
}

export type ControllerConfig = SettingValues<typeof controllerSettings>
