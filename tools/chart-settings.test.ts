/** The values of the chart know every setting of the programs: a new one belongs into charts/skyclust/values.schema.json. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { apiSettings } from '../api/config.ts'
import type { Settings } from '../config/settings.ts'
import { controllerSettings } from '../controller/config.ts'

const chart = join(import.meta.dirname, '../charts/skyclust')
const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'))
/** A run as a child of the controller's own pod gets no sandbox from the kernel, and a read-only pod has no place for files. */
const notInCluster =
  /^SKYCLUST_(TOFU|TOFU_WORK_DIR|TOFU_PLUGIN_CACHE|TOFU_SANDBOX|TOFU_(READ|WRIT)ABLE|AUDIT_LOG|AUDIT_ROTATE_MIB|AUDIT_KEEP)$/

describe('the settings in the values of the chart', () => {
  it.each([
    ['controller', controllerSettings],
    ['api', apiSettings],
  ] as const)('are those of the %s, but for what the chart itself decides', (process, settings) => {
    const template = readFileSync(join(chart, `templates/${process}.yaml`), 'utf8')
    const declared = Object.values(settings as Settings).flatMap((one) =>
      one.kind === 'setting' ? [one.variable] : [],
    )
    const left = declared.filter((name) => !new RegExp(`name: ${name}\\b`).test(template) && !notInCluster.test(name))
    expect(Object.keys(schema.properties[process].properties.settings.properties).sort()).toEqual(left.sort())
  })
})
