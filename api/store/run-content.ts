/** What a run printed and planned, read as the caller: whoever may not read the workspace's ConfigMaps any more sees none of it. */
import type { TofuRun } from '../../crds/tofu-run.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { type ConfigMap, configMapType } from '../../kube/builtin-types.ts'
import type { Caller } from '../auth/caller.ts'
import { type Piece, piecesInOrder } from '../shapes/run-output.ts'
import type { AsCaller } from '../writes/as-caller.ts'

export interface Subject {
  readonly run: TofuRun
  readonly workspace: Workspace
}

export async function piecesOf(asCaller: AsCaller, caller: Caller, subject: Subject): Promise<readonly Piece[]> {
  return piecesInOrder(await contentOf(asCaller, caller, { ...subject, what: 'output-plan,output-apply' }))
}

/** The changes of the plan as JSON text; `undefined` before there is a plan. */
export async function changesOf(asCaller: AsCaller, caller: Caller, subject: Subject): Promise<string | undefined> {
  const [changes] = await contentOf(asCaller, caller, { ...subject, what: 'changes' })
  return changes?.data?.['changes.json']
}

async function contentOf(
  asCaller: AsCaller,
  caller: Caller,
  { run, workspace, what }: Subject & { readonly what: string },
): Promise<readonly ConfigMap[]> {
  const labelSelector = `skyclust.io/tofu-run-uid=${run.metadata.uid},skyclust.io/tofu-content in (${what})`
  const { items } = await asCaller.inWorkspace(caller, workspace, (client, namespace) =>
    client.list(configMapType, { namespace, labelSelector }),
  )
  return items
}
