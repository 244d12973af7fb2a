/** Virtual machines. */
import type { Credential } from '../../crds/credential.ts'
import { type VM, vmKind } from '../../crds/vm.ts'
import type { Workspace } from '../../crds/workspace.ts'
import type { KubeClient } from '../../kube/client.ts'
import { isAlreadyExists, isNotFound } from '../../kube/kube-error.ts'
import { keyOf, type ObjectKey } from '../../kube/resource.ts'
import type { Facade } from '../facade.ts'
import { ApiError } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { deleteSeen, requireMatch, tag, unchanged } from '../http/conditional.ts'
import { type ApiApp, apiApp, serve } from '../http/define-route.ts'
import { createdAnswer, listAnswer, messageAnswer, textAnswer } from '../http/envelope.ts'
import { oldestFirst, pageOf } from '../http/pagination.ts'
import { waitPreference } from '../http/preference.ts'
import { createOnce, type IdempotencyMark, markedMetadata, markOf, sayReplayed } from '../idempotency.ts'
import { done, type Message, refused } from '../language/messages.ts'
import { vmEstimateMark } from '../shapes/hourly-estimate.ts'
import { type VMData, type VMDetail, vmData, vmDetailText, vmText } from '../shapes/vm.ts'
import { vmStatus } from '../shapes/vm-status.ts'
import type { Held } from '../store/access.ts'
import { change } from '../writes/change.ts'
import { createVm, deleteVm, getVm, listVms, patchVm, powerRoute } from './vm-declarations.ts'

const SEEN_WITHIN_MS = 2_000

export function vmRoutes(
  facade: Pick<Facade, 'store' | 'access' | 'asCaller' | 'credentialFor' | 'prices' | 'stopping'>,
): ApiApp {
  const { store, access, asCaller } = facade
  const prices = facade.prices.known
  const { vms } = store
  const wholeLists = new WeakMap<
    readonly VM[],
    { readonly workspaceId: string; readonly version: number; readonly text: string }
  >()
  const app = apiApp()

  function about(context: ApiContext, { metadata }: VM): void {
    const { uid: id, namespace = '', name } = metadata
    context.env.call.object = { resource: 'vms', id, namespace, name }
  }

  serve(app, createVm, async (context) => {
    const caller = callerIn(context)
    const body = context.req.valid('json')
    const workspace = await access.workspace(caller, body.workspace_id, 'vm.edit')
    const waitMs = waitPreference(context.req.header('prefer'))
    const mark = markOf(context, caller.id, body)
    const made = await asCaller
      .inWorkspace(caller, workspace, (client, namespace) => {
        const metadata = { namespace, name: body.name, ...markedMetadata(mark) }
        return createOnce({
          mark,
          find: () => madeEarlier(client, metadata, mark),
          create: async () => {
            const credential = await facade.credentialFor(caller, { workspace, namespace, ...body })
            return client.create(vmKind, { metadata, spec: specOf(body, credential) })
          },
        })
      })
      .catch((error: unknown) => {
        throw isAlreadyExists(error) ? new ApiError('CONFLICT', refused.vmNameTaken(body.name)) : error
      })
    const vm = made.object
    sayReplayed(context, made)
    about(context, vm)
    await vms.seen(vm, { timeoutMs: SEEN_WITHIN_MS })
    if (waitMs > 0) await decided(vm, waitMs, context.req.raw.signal)
    const { uid } = vm.metadata
    return createdAnswer(context, vmData(vms.byUid(uid) ?? vm, workspace, prices), `/api/v1/vms/${uid}`)
  })

  /** Until the cloud has said something, as far as there is time, and somebody who waits for it. */
  async function decided(vm: VM, waitMs: number, callerIsGone: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([callerIsGone, facade.stopping])
    await vms.until(keyOf(vm), isDecided, { timeoutMs: waitMs, signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  /** Under the same key, whatever its name; or of this name, made on another replica a moment ago. */
  async function madeEarlier(client: KubeClient, key: ObjectKey, mark: IdempotencyMark | undefined) {
    const known = mark && vms.index('idempotency', mark.key)[0]
    if (known !== undefined) return known
    try {
      return await client.get(vmKind, key)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  serve(app, listVms, async (context) => {
    const caller = callerIn(context)
    const { workspace_id, limit, offset, ...filter } = context.req.valid('query')
    const workspaces =
      workspace_id === undefined
        ? store.workspacesOf(caller)
        : [await access.workspace(caller, workspace_id, 'vm.read')]
    const whole = Object.values(filter).every((wanted) => wanted === undefined) && wholeList(workspaces, limit, offset)
    if (whole) return listAnswer<VMData>(context, whole)
    const page = pageOf(matching(vmsOf(workspaces), filter), { limit, offset })
    const items = page.items.map(([vm, workspace]) => vmText(vm, workspace, prices))
    return listAnswer<VMData>(context, { items, total: page.total })
  })

  /** All VMs of one workspace, as a single text that is kept until one of them changes: what is asked for most. */
  function wholeList([workspace, another]: readonly Workspace[], limit: number, offset: number) {
    if (workspace === undefined || another !== undefined || offset > 0) return undefined
    const list = store.vmsIn(workspace.status?.namespace ?? '')
    if (list.length === 0 || list.length > limit) return undefined
    const { uid: workspaceId } = workspace.metadata
    let known = wholeLists.get(list)
    if (known?.workspaceId !== workspaceId || known.version !== prices.version) {
      const text = list.map((vm) => vmText(vm, workspace, prices)).join(',')
      known = { workspaceId, version: prices.version, text }
      wholeLists.set(list, known)
    }
    return { items: [known.text], total: list.length }
  }

  function vmsOf(workspaces: readonly Workspace[]): readonly VMInWorkspace[] {
    const all = workspaces.flatMap((workspace) =>
      store.vmsIn(workspace.status?.namespace ?? '').map((vm): VMInWorkspace => [vm, workspace]),
    )
    return workspaces.length > 1 ? all.sort(([one], [other]) => oldestFirst(one, other)) : all
  }

  /** Not `async`: what is in the cache is answered without a promise, which is a fifth less work (see `gate.ts`). */
  serve(app, getVm, (context) => {
    function answer({ object, workspace }: Held<VM>) {
      about(context, object)
      const known = unchanged(context, object, vmEstimateMark(object, prices))
      return known ?? textAnswer<VMDetail>(context, vmDetailText(object, workspace, prices))
    }
    const held = access.vm(callerIn(context), context.req.param('id'), 'vm.read')
    const answered = held instanceof Promise ? held.then(answer) : answer(held)
    return answered
  })

  async function setPower(context: ApiContext, id: string, powerState: 'Running' | 'Stopped', said: Message) {
    const caller = callerIn(context)
    const { object, workspace } = await access.vm(caller, id, 'vm.edit')
    about(context, object)
    const changed = await asCaller.inWorkspace(caller, workspace, (client) =>
      change(client, vmKind, object, (current) => {
        requireMatch(context, current)
        requirePower(current, powerState)
        if (current.spec.powerState === powerState) return undefined
        return { spec: { powerState }, fields: [['spec', 'powerState']] }
      }),
    )
    await vms.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    return messageAnswer(context, said)
  }

  serve(app, powerRoute('start', 'Start a VM'), (context) =>
    setPower(context, context.req.param('id') ?? '', 'Running', done.vmStarted),
  )

  serve(app, powerRoute('stop', 'Stop a VM'), (context) =>
    setPower(context, context.req.param('id') ?? '', 'Stopped', done.vmStopped),
  )

  serve(app, patchVm, async (context) => {
    const caller = callerIn(context)
    const { object, workspace } = await access.vm(caller, context.req.param('id'), 'vm.edit')
    about(context, object)
    const { instance_type: instanceType, power } = context.req.valid('json')
    const powerState = power && ({ running: 'Running', stopped: 'Stopped' } as const)[power]
    const spec = {
      ...(instanceType !== undefined && { instanceType }),
      ...(powerState !== undefined && { powerState }),
    }
    const fields = Object.keys(spec).map((field) => ['spec', field])
    const changed = await asCaller.inWorkspace(caller, workspace, (client) =>
      change(client, vmKind, object, (current) => {
        requireMatch(context, current)
        requirePower(current, powerState)
        return { spec, fields }
      }),
    )
    await vms.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
    tag(context, changed, vmEstimateMark(changed, prices))
    return textAnswer<VMDetail>(context, vmDetailText(changed, workspace, prices))
  })

  serve(app, deleteVm, async (context) => {
    const caller = callerIn(context)
    const { object, workspace } = await access.vm(caller, context.req.param('id'), 'vm.edit')
    about(context, object)
    const key = keyOf(object)
    const { uid } = object.metadata
    await asCaller.inWorkspace(caller, workspace, (client) =>
      deleteSeen(context, object, (preconditions) => client.delete(vmKind, key, { preconditions })),
    )
    const isGone = (current: VM | undefined) => current?.metadata.uid !== uid || isDeleting(current)
    await vms.until(key, isGone, { timeoutMs: SEEN_WITHIN_MS })
    return messageAnswer(context, done.vmDeleted)
  })

  return app
}

type VMInWorkspace = readonly [VM, Workspace]

interface Filter {
  readonly status?: string | undefined
  readonly provider?: string | undefined
  readonly name?: string | undefined
}

function matching(vms: readonly VMInWorkspace[], { status, provider, name }: Filter): readonly VMInWorkspace[] {
  if (status === undefined && provider === undefined && name === undefined) return vms
  return vms.filter(
    ([vm]) =>
      (status === undefined || vmStatus(vm) === status) &&
      (provider === undefined || vm.spec.provider === provider) &&
      (name === undefined || vm.metadata.name === name),
  )
}

function specOf(
  body: { instance_type: string; region: string; image_id: string },
  { metadata, spec }: Credential,
): Pick<VM['spec'], 'provider' | 'credentialRef' | 'region' | 'instanceType' | 'image'> {
  return {
    provider: spec.provider,
    credentialRef: { name: metadata.name },
    region: body.region,
    instanceType: body.instance_type,
    image: body.image_id,
  }
}

/** There is nothing more to wait for: the cloud has given an id, or said no. */
function isDecided(vm: VM | undefined): boolean {
  return vm === undefined || Boolean(vm.status?.instanceID) || vmStatus(vm) === 'error' || isDeleting(vm)
}

function isDeleting({ metadata }: VM): boolean {
  return metadata.deletionTimestamp !== undefined
}

function requirePower(vm: VM, powerState: 'Running' | 'Stopped' | undefined): void {
  if (isDeleting(vm)) throw new ApiError('CONFLICT', refused.beingDeleted)
  if (powerState === 'Running' && vmStatus(vm) === 'terminated' && vm.spec.replacePolicy === 'Never') {
    throw new ApiError('CONFLICT', refused.vmTerminated)
  }
}
