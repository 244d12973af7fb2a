/**
 * What a run printed, in ConfigMaps beside it: readable by who may read the run, owned by it, gone with it. No secret is in it; the
 * runner has seen to that before it left.
 *
 * A phase has numbered pieces. The first ones stay; of the later ones the last stay, each in the place of one that is older.
 */
import { configMapType } from '../../kube/builtin-types.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import type { OwnerReference } from '../../kube/resource.ts'
import { outputFirstPieces, outputLastPieces } from './protocol.ts'
import type { RunPhase } from './state/stack-head.ts'

export interface RunOwner {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export const runLabel = 'skyclust.io/tofu-run'
export const runUidLabel = 'skyclust.io/tofu-run-uid'
export const contentLabel = 'skyclust.io/tofu-content'
export const pieceAnnotation = 'skyclust.io/output-piece'

export interface OutputStore {
  /** Writes a piece, whole; repeating it is harmless. */
  putPiece(run: RunOwner, phase: RunPhase, index: number, text: string, signal?: AbortSignal): Promise<void>
  /** The changes of the plan as JSON. */
  putChanges(run: RunOwner, document: string, signal?: AbortSignal): Promise<void>
}

export function ownedBy(run: RunOwner): OwnerReference {
  return { apiVersion: 'skyclust.io/v1alpha1', kind: 'TofuRun', name: run.name, uid: run.uid, controller: true }
}

export function placeOf(index: number): number {
  return index < outputFirstPieces ? index : outputFirstPieces + ((index - outputFirstPieces) % outputLastPieces)
}

export function outputStore(client: KubeClient): OutputStore {
  async function save(
    run: RunOwner,
    object: { name: string; content: string; annotations: Record<string, string>; data: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<void> {
    const draft = {
      metadata: {
        namespace: run.namespace,
        name: object.name,
        labels: {
          'app.kubernetes.io/managed-by': 'skyclust',
          [runLabel]: run.name,
          [runUidLabel]: run.uid,
          [contentLabel]: object.content,
        },
        annotations: object.annotations,
        ownerReferences: [ownedBy(run)],
      },
      data: object.data,
    }
    const key = { namespace: run.namespace, name: object.name }
    const body = { metadata: { annotations: object.annotations }, data: object.data }
    try {
      await client.patch(configMapType, key, body, { kind: 'merge', signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      await client.create(configMapType, draft, { signal })
    }
  }

  return {
    putPiece: (run, phase, index, text, signal) =>
      save(
        run,
        {
          name: `${run.name}-${phase}-output-${placeOf(index)}`,
          content: `output-${phase}`,
          annotations: { [pieceAnnotation]: String(index) },
          data: { output: text },
        },
        signal,
      ),
    putChanges: (run, document, signal) =>
      save(
        run,
        { name: `${run.name}-changes`, content: 'changes', annotations: {}, data: { 'changes.json': document } },
        signal,
      ),
  }
}
