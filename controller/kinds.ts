/** The controllers, one a kind: the table of contents of what this process does. */
import type { Logger } from 'pino'
import type { Providers } from '../clouds/providers.ts'
import type { KubeClient } from '../kube/client.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Caches } from './caches.ts'
import type { ControllerConfig } from './config.ts'
import type { CloudRegistry } from './credential/cloud-registry.ts'
import { credentialController } from './credential/credential-controller.ts'
import type { KindController } from './kind-controller.ts'
import type { ControllerMetrics } from './metrics.ts'
import { userController } from './user/user-controller.ts'
import { vmController } from './vm/vm-controller.ts'
import { workspaceController } from './workspace/workspace-controller.ts'

/** What a kind's controller may be given. */
export interface KindDependencies {
  readonly config: ControllerConfig
  readonly client: KubeClient
  readonly caches: Caches
  readonly events: EventRecorder
  readonly providers: Providers
  readonly registry: CloudRegistry
  readonly metrics: ControllerMetrics
  readonly log: Logger
  /** metadata.uid of the Namespace kube-system: what tells this installation's instances from another's. */
  readonly clusterUID: string
  /** May this replica act on that namespace now? To be asked right before every side effect. */
  readonly owns: (scope: string) => boolean
  /** May it take up new work there? */
  readonly accepts: (scope: string) => boolean
  /** Aborted when no new work is to be taken up. */
  readonly signal: AbortSignal
}

export function kindControllers(deps: KindDependencies): readonly KindController[] {
  return [workspaceController(deps), credentialController(deps), userController(deps), vmController(deps)]
}
