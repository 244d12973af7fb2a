/**
 * The call that makes or changes an object leaves its `traceparent` on it, for the controller to go on with. It goes along with a
 * write that is made anyway, belongs to the facade's field manager, and is in nobody's manifest: whoever applies one has
 * nothing to fight over.
 */
import { credentialKind } from '../../crds/credential.ts'
import { annotations } from '../../crds/names.ts'
import { tofuRunKind } from '../../crds/tofu-run.ts'
import { vmKind } from '../../crds/vm.ts'
import { workspaceKind } from '../../crds/workspace.ts'
import type { KubeClientOptions } from '../../kube/client.ts'
import type { Tracing } from '../../tracing/tracing.ts'

/** The plurals of what the controller reconciles for somebody who waits. */
const followed: ReadonlySet<string> = new Set(
  [workspaceKind, credentialKind, vmKind, tofuRunKind].map(({ plural }) => plural),
)

export function tracedWrites(tracing: Tracing): NonNullable<KubeClientOptions['annotationsFor']> {
  return ({ group, plural }) => {
    if (group !== vmKind.group || !followed.has(plural)) return undefined
    const traceparent = tracing.traceparent()
    return traceparent === undefined ? undefined : { [annotations.traceparent]: traceparent }
  }
}
