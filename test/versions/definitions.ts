/** Our definitions as later releases will have them, with more versions than one, each of the schema of today. */
import { parse, stringify } from 'yaml'
import { crdFiles } from '../../crds/yaml.ts'
import type { Cluster } from '../cluster/cluster.ts'

export interface DefinedVersion {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
  readonly deprecated?: boolean
}

interface Definition {
  readonly spec: { readonly versions: readonly object[] }
}

/** As `helm upgrade` does. Throws with what the API server has against it. */
export async function define(cluster: Cluster, ...versions: readonly DefinedVersion[]): Promise<void> {
  const definitions = [...crdFiles().values()].map((text) => {
    const definition = parse(text) as Definition
    const [schema] = definition.spec.versions
    const spec = { ...definition.spec, versions: versions.map((version) => ({ ...schema, ...version })) }
    return stringify({ ...definition, spec }, { aliasDuplicateObjects: false })
  })
  const how = ['--server-side', '--force-conflicts', '--field-manager=skyclust-install']
  await cluster.kubectlWith(definitions.join('---\n'), 'apply', ...how, '-f', '-')
}
