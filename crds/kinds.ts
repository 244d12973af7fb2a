/** All kinds of the API group, in the order in which a newcomer meets them. */
import { costEstimateKind } from './cost-estimate.ts'
import { credentialKind } from './credential.ts'
import type { Kind } from './kind.ts'
import { sessionKind } from './session.ts'
import { tofuRunKind } from './tofu-run.ts'
import { userKind } from './user.ts'
import { vmKind } from './vm.ts'
import { workspaceKind } from './workspace.ts'

export const kinds: readonly Kind[] = [
  workspaceKind,
  credentialKind,
  vmKind,
  tofuRunKind,
  userKind,
  sessionKind,
  costEstimateKind,
]
