/** The alert rules and the dashboard: read by Prometheus' own parser, tried on made-up series, and each alert with its page. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { workshop } from '../../tools/workshop.ts'
import { root } from './helm.ts'
import { alertRules, alertsFile, dashboardQueries } from './monitoring.ts'

let directory: string
let promtool: (...args: readonly string[]) => Promise<string>
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'skyclust-alerts-'))
  const program = await workshop({ environment: process.env, home: homedir() }).obtain('promtool')
  promtool = async (...args) => {
    const { stdout, stderr } = await promisify(execFile)(program, args).catch(
      (error: { stdout: string; stderr: string }) => Promise.reject(new Error(error.stdout + error.stderr)),
    )
    return stdout + stderr
  }
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** For each alert: series under which it fires within an hour, one sample a minute. */
const firing: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  SkyClustControllerDown: { 'up{job="skyclust-controller"}': '0x120' },
  SkyClustApiDown: { 'up{job="skyclust-api"}': '0x120' },
  SkyClustNoLeader: { 'leader_election_master_status{name="0",pod="a"}': '0x120' },
  SkyClustCacheStale: { 'skyclust_cache_staleness_seconds{cache="vms",pod="a"}': '0+60x120' },
  SkyClustReconcileErrors: {
    'controller_runtime_reconcile_total{controller="vm",result="error"}': '0+10x120',
    'controller_runtime_reconcile_errors_total{controller="vm"}': '0+10x120',
  },
  SkyClustQueueBacklog: { 'workqueue_depth{name="vm"}': '500x120' },
  SkyClustReconcileStuck: { 'workqueue_longest_running_processor_seconds{name="vm",pod="a"}': '0+60x120' },
  SkyClustCloudThrottled: {
    'skyclust_cloud_calls_total{provider="aws",region="r",action="list",outcome="throttled"}': '0+60x120',
  },
  SkyClustCloudErrors: {
    'skyclust_cloud_calls_total{provider="aws",region="r",action="list",outcome="forbidden"}': '0+60x120',
  },
  SkyClustObservationStale: { 'skyclust_observation_age_seconds{place="aws/1/r"}': '0+60x120' },
  SkyClustCredentialRejected: { 'skyclust_credentials{ready="False"}': '2x120' },
  SkyClustVMsStalled: { 'skyclust_vms_by_condition{condition="Stalled"}': '1x120' },
  SkyClustOrphanInstances: { 'skyclust_orphan_instances{place="aws/1/r"}': '1x120' },
  SkyClustApiErrors: {
    'skyclust_api_request_seconds_count{resource="vms",method="GET",status="500"}': '0+60x120',
    'skyclust_api_request_seconds_count{resource="vms",method="GET",status="200"}': '0+60x120',
  },
  SkyClustApiSlow: {
    'skyclust_api_request_seconds_bucket{resource="vms",method="GET",status="200",le="1"}': '0x120',
    'skyclust_api_request_seconds_bucket{resource="vms",method="GET",status="200",le="2.5"}': '0+60x120',
    'skyclust_api_request_seconds_bucket{resource="vms",method="GET",status="200",le="+Inf"}': '0+60x120',
  },
  SkyClustAuditLost: { skyclust_api_audit_dropped: '0+1x120' },
  SkyClustKubeRequestErrors: {
    'rest_client_requests_total{job="skyclust-api",code="429",method="GET"}': '0+60x120',
    'rest_client_requests_total{job="skyclust-api",code="200",method="GET"}': '0+60x120',
  },
}

/** An installation in which all is well. */
const healthy: Readonly<Record<string, string>> = {
  'up{job="skyclust-controller",pod="a"}': '1x120',
  'up{job="skyclust-api",pod="b"}': '1x120',
  'leader_election_master_status{name="0",pod="a"}': '1x120',
  'leader_election_master_status{name="0",pod="c"}': '0x120',
  'skyclust_cache_staleness_seconds{cache="vms",pod="a"}': '30x120',
  'skyclust_api_cache_staleness_seconds{pod="b"}': '30x120',
  'controller_runtime_reconcile_total{controller="vm",result="success"}': '0+10x120',
  'controller_runtime_reconcile_errors_total{controller="vm"}': '0x120',
  'skyclust_cloud_calls_total{provider="aws",region="r",action="list",outcome="ok"}': '0+60x120',
  'skyclust_observation_age_seconds{place="aws/1/r"}': '60x120',
  'skyclust_credentials{ready="False"}': '0x120',
  'skyclust_vms_by_condition{condition="Stalled"}': '0x120',
  'skyclust_orphan_instances{place="aws/1/r"}': '0x120',
  'skyclust_api_request_seconds_count{resource="vms",method="GET",status="200"}': '0+60x120',
  skyclust_api_audit_dropped: '0x120',
  'rest_client_requests_total{job="skyclust-api",code="200",method="GET"}': '0+60x120',
}

const seriesOf = (series: Readonly<Record<string, string>>) =>
  Object.entries(series).map(([name, values]) => ({ series: name, values }))

async function runRuleTests(tests: readonly object[]): Promise<string> {
  const file = join(directory, 'tests.yaml')
  await writeFile(file, stringify({ rule_files: [alertsFile], evaluation_interval: '1m', tests }))
  return promtool('test', 'rules', file)
}

describe('the alert rules', () => {
  it('are as Prometheus reads them', async () => {
    expect(await promtool('check', 'rules', '--lint=all', '--lint-fatal', alertsFile)).toContain('SUCCESS')
  })

  it('each have a summary, a description, a severity and a page that says what to do', async () => {
    const rules = await alertRules()
    const pages = await readdir(join(root, 'docs/runbooks'))
    expect(pages.sort()).toEqual(rules.map(({ alert }) => `${alert}.md`).sort())
    for (const { alert, labels, annotations } of rules) {
      expect(['critical', 'warning', 'info']).toContain(labels.severity)
      expect(annotations.summary).toMatch(/\.$/)
      expect(annotations.description).toMatch(/\.$/)
      expect(annotations.runbook_url).toMatch(new RegExp(`/docs/runbooks/${alert}\\.md$`))
      const page = await readFile(join(root, `docs/runbooks/${alert}.md`), 'utf8')
      for (const part of [`# ${alert}`, 'What it means', 'What it does to users', 'What to do'])
        expect(page).toContain(part)
    }
  })

  it('are silent while all is well', async () => {
    const names = (await alertRules()).map(({ alert }) => alert)
    const quiet = names.map((alertname) => ({ eval_time: '100m', alertname, exp_alerts: [] }))
    await expect(
      runRuleTests([{ interval: '1m', input_series: seriesOf(healthy), alert_rule_test: quiet }]),
    ).resolves.toContain('SUCCESS')
  })

  it('each fire on what they are about', async () => {
    const names = (await alertRules()).map(({ alert }) => alert)
    expect(Object.keys(firing).sort()).toEqual(names.sort())
    const tests = Object.entries(firing).map(([alertname, series]) => ({
      interval: '1m',
      input_series: seriesOf(series),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alertname}",alertstate="firing"})`,
          eval_time: '110m',
          exp_samples: [{ value: 1 }],
        },
      ],
    }))
    await expect(runRuleTests(tests)).resolves.toContain('SUCCESS')
  })
})

describe('the dashboard', () => {
  it('asks in PromQL that Prometheus reads', async () => {
    const queries = await dashboardQueries()
    expect(queries.length).toBeGreaterThan(20)
    const rules = queries.map((expr, index) => ({ record: `panel:q${index}`, expr }))
    const file = join(directory, 'panels.yaml')
    await writeFile(file, stringify({ groups: [{ name: 'panels', rules }] }))
    expect(await promtool('check', 'rules', file)).toContain('SUCCESS')
    expect(parse(await readFile(file, 'utf8')).groups[0].rules).toHaveLength(queries.length)
  })
})
