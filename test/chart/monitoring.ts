/** The alert rules and the dashboard that the chart carries, and which metrics they ask for. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { chart } from './helm.ts'

export const alertsFile = join(chart, 'files/monitoring/alerts.yaml')

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export async function alertRules(): Promise<readonly AlertRule[]> {
  const { groups } = parse(await readFile(alertsFile, 'utf8')) as { groups: { rules: AlertRule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

interface Panel {
  readonly targets?: readonly { readonly expr: string }[]
}

/** Of every panel, with an interval in the place of Grafana's. */
export async function dashboardQueries(): Promise<readonly string[]> {
  const text = await readFile(join(chart, 'files/monitoring/dashboard.json'), 'utf8')
  const { panels } = JSON.parse(text) as { panels: Panel[] }
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m')))
}

/** Names of metrics in a query: words that are followed by braces, a range or an end, and are no function and no label. */
export function metricsIn(query: string): readonly string[] {
  const bare = query
    .replace(/"[^"]*"/g, '""')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, '')
  const words = bare.match(/[a-z_][a-z0-9_]*(?![a-z0-9_]*\s*\()/g) ?? []
  return words.filter((word) => word.includes('_') && !functions.has(word))
}

const functions = new Set(['histogram_quantile'])
