/**
 * How well an object is by kstatus, which Flux, Helm 4 and others read: its rules for kinds that it does not know.
 *
 * @see https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 * @see https://github.com/fluxcd/cli-utils/blob/main/pkg/kstatus/status/generic.go
 */
import type { Condition } from '../../kube/conditions.ts'

export type KStatus = 'InProgress' | 'Failed' | 'Current' | 'Terminating'

export interface Judged {
  readonly metadata: { readonly generation?: number | undefined; readonly deletionTimestamp?: string | undefined }
  readonly status?:
    | {
        readonly observedGeneration?: number | undefined
        readonly conditions?: readonly Pick<Condition, 'type' | 'status'>[] | undefined
      }
    | undefined
}

export function kstatus({ metadata, status = {} }: Judged): KStatus {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const { observedGeneration, conditions = [] } = status
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return 'InProgress'
  const statusOf = (type: string) => conditions.find((condition) => condition.type === type)?.status
  if (statusOf('Reconciling') === 'True') return 'InProgress'
  if (statusOf('Stalled') === 'True') return 'Failed'
  const ready = statusOf('Ready')
  if (ready === 'False' || ready === 'Unknown') return 'InProgress'
  return 'Current'
}
