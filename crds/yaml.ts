/** The files of crds/yaml/, as text. */
import { stringify } from 'yaml'
import { customResourceDefinition } from './custom-resource-definition.ts'
import { kinds } from './kinds.ts'

const header = '# Generated from crds/*.ts by `make generate`; do not edit.\n'

/** By file name: `vms.yaml`. */
export function crdFiles(): ReadonlyMap<string, string> {
  return new Map(
    kinds.map((kind) => [
      `${kind.plural}.yaml`,
      header + stringify(customResourceDefinition(kind), { lineWidth: 0, aliasDuplicateObjects: false }),
    ]),
  )
}
