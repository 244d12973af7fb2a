/** Credentials: secret values go in and never come out. */
import { createRoute, z } from '@hono/zod-openapi'
import { type Credential, credentialKind } from '../../crds/credential.ts'
import type { Workspace } from '../../crds/workspace.ts'
import { keyOf } from '../../kube/resource.ts'
import type { Facade } from '../facade.ts'
import { ApiError } from '../http/api-error.ts'
import { type ApiContext, callerIn } from '../http/call.ts'
import { deleteSeen, requireMatch, tag, unchanged } from '../http/conditional.ts'
import {
  type ApiApp,
  apiApp,
  created,
  data,
  failures,
  jsonBody,
  list,
  message,
  notModified,
  serve,
} from '../http/define-route.ts'
import { idempotencyKey, ifMatch, ifNoneMatch } from '../http/documented-headers.ts'
import { createdAnswer, dataAnswer, listAnswer, messageAnswer } from '../http/envelope.ts'
import { oldestFirst, pageOf, pageQuery } from '../http/pagination.ts'
import { pathId, reference, time, uuid } from '../http/schemas.ts'
import { validationError } from '../http/validation.ts'
import { markOf, sayReplayed } from '../idempotency.ts'
import { done, refused } from '../language/messages.ts'
import { credentialData, credentialSchema } from '../shapes/credential.ts'
import { keysSchema, type ProviderKeys, type SplitKeys, splitKeys } from '../shapes/credential-keys.ts'
import { makeCredential, replaceKeys } from '../writes/credential-writes.ts'

const tags = ['Credentials']
const params = z.object({ id: pathId })
const SEEN_WITHIN_MS = 2_000

const listCredentials = createRoute({
  tags,
  method: 'get',
  path: '/credentials',
  summary: 'Credentials of a workspace, or of all the caller’s workspaces',
  request: { query: z.strictObject({ workspace_id: reference.optional(), ...pageQuery }) },
  responses: { 200: list('Oldest first.', credentialSchema), ...failures },
})

const getCredential = createRoute({
  tags,
  method: 'get',
  path: '/credentials/{id}',
  summary: 'A credential',
  request: { params, headers: ifNoneMatch },
  responses: { 200: data('The credential, without its secrets.', credentialSchema), ...notModified, ...failures },
})

const deleteCredential = createRoute({
  tags,
  method: 'delete',
  path: '/credentials/{id}',
  summary: 'Delete a credential that no VM uses',
  request: { params, headers: ifMatch },
  responses: { 200: message('It is gone.'), ...failures },
})

function createCredentialRoute(providers: readonly ProviderKeys[]) {
  const bodies = providers.map((provider) =>
    z.strictObject({ workspace_id: reference, provider: z.literal(provider.name), credentials: keysSchema(provider) }),
  )
  return createRoute({
    tags,
    method: 'post',
    path: '/credentials',
    summary: 'Make a credential',
    request: {
      headers: idempotencyKey,
      body: jsonBody(z.discriminatedUnion('provider', bodies as [(typeof bodies)[number]])),
    },
    responses: { 201: created('The new credential.', credentialSchema), ...failures },
  })
}

function changeRoute(method: 'put' | 'patch', providers: readonly ProviderKeys[]) {
  const anyOf = [...new Set(providers.map(({ name }) => ({ $ref: `#/components/schemas/${name}Credentials` })))]
  const credentials = z.record(z.string(), z.unknown()).openapi({ anyOf })
  return createRoute({
    tags,
    method,
    path: '/credentials/{id}',
    summary: 'Replace the keys of a credential',
    request: { params, headers: ifMatch, body: jsonBody(z.strictObject({ credentials })) },
    responses: { 200: data('The credential.', z.object({ id: uuid, updated_at: time })), ...failures },
  })
}

export function credentialRoutes(facade: Pick<Facade, 'store' | 'access' | 'asCaller' | 'clouds'>): ApiApp {
  const { store, access, asCaller } = facade
  const providers = facade.clouds.providers.all
  const { credentials } = store
  const app = apiApp()

  function about(context: ApiContext, { metadata }: Credential): void {
    const { uid: id, namespace = '', name } = metadata
    context.env.call.object = { resource: 'credentials', id, namespace, name }
  }

  async function workspacesIn(context: ApiContext, workspaceId: string | undefined): Promise<readonly Workspace[]> {
    const caller = callerIn(context)
    if (workspaceId === undefined) return store.workspacesOf(caller)
    return [await access.workspace(caller, workspaceId, 'credential.read')]
  }

  function vmsUsing({ metadata }: Credential): readonly string[] {
    const vms = store.vms.list(metadata.namespace)
    return vms.filter(({ spec }) => spec.credentialRef.name === metadata.name).map((vm) => vm.metadata.name)
  }

  /** The body of a PUT does not say which provider's keys it holds; the Credential does. */
  function keysFor({ spec }: Credential, given: unknown): SplitKeys {
    const provider = providers.find(({ name }) => name === spec.provider)
    if (provider === undefined) throw new ApiError('CONFLICT', refused.providerOff(spec.provider))
    const parsed = keysSchema(provider).safeParse(given)
    if (!parsed.success) throw validationError(parsed.error, given, 'credentials', ['credentials'])
    return splitKeys(provider, parsed.data)
  }

  serve(app, createCredentialRoute(providers), async (context) => {
    const caller = callerIn(context)
    const body = context.req.valid('json')
    const provider = providers.find(({ name }) => name === body.provider)
    if (provider === undefined) throw new Error(`no provider ${body.provider}`)
    const workspace = await access.workspace(caller, body.workspace_id, 'credential.edit')
    const mark = markOf(context, caller.id, body)
    const earlier = mark && credentials.index('idempotency', mark.key)[0]
    const made = await asCaller.inWorkspace(caller, workspace, (client, namespace) =>
      makeCredential(client, {
        namespace,
        provider: provider.name,
        mark,
        earlier,
        ...splitKeys(provider, body.credentials),
      }),
    )
    const credential = made.object
    sayReplayed(context, made)
    about(context, credential)
    await credentials.seen(credential, { timeoutMs: SEEN_WITHIN_MS })
    return createdAnswer(
      context,
      credentialData(credential, workspace),
      `/api/v1/credentials/${credential.metadata.uid}`,
    )
  })

  serve(app, listCredentials, async (context) => {
    const query = context.req.valid('query')
    const workspaces = await workspacesIn(context, query.workspace_id)
    const all = workspaces.flatMap((workspace) =>
      store
        .credentialsIn(workspace.status?.namespace ?? '')
        .filter((credential) => !isDeleting(credential))
        .map((credential) => ({ credential, workspace })),
    )
    if (workspaces.length > 1) all.sort((one, other) => oldestFirst(one.credential, other.credential))
    const { items, total } = pageOf(all, query)
    const texts = items.map(({ credential, workspace }) => JSON.stringify(credentialData(credential, workspace)))
    return listAnswer<z.output<typeof credentialSchema>>(context, { items: texts, total })
  })

  serve(app, getCredential, async (context) => {
    const { object, workspace } = await access.credential(callerIn(context), context.req.param('id'), 'credential.read')
    about(context, object)
    return unchanged(context, object) ?? dataAnswer(context, credentialData(object, workspace))
  })

  for (const method of ['put', 'patch'] as const)
    serve(app, changeRoute(method, providers), async (context) => {
      const caller = callerIn(context)
      const { object, workspace } = await access.credential(caller, context.req.param('id'), 'credential.edit')
      about(context, object)
      if (object.spec.source === 'Ambient') throw new ApiError('CONFLICT', refused.ambientCredential)
      const keys = keysFor(object, context.req.valid('json').credentials)
      const changed = await asCaller.inWorkspace(caller, workspace, (client) =>
        replaceKeys(client, object, keys, (current) => requireMatch(context, current)),
      )
      await credentials.seen(changed, { timeoutMs: SEEN_WITHIN_MS })
      tag(context, changed)
      const { id, updated_at } = credentialData(changed, workspace)
      return dataAnswer(context, { id, updated_at })
    })

  serve(app, deleteCredential, async (context) => {
    const caller = callerIn(context)
    const { object, workspace } = await access.credential(caller, context.req.param('id'), 'credential.edit')
    about(context, object)
    const users = vmsUsing(object)
    if (users.length > 0) {
      throw new ApiError('CONFLICT', refused.credentialInUse(users.slice(0, 20).join(', ')))
    }
    const key = keyOf(object)
    const { uid } = object.metadata
    await asCaller.inWorkspace(caller, workspace, (client) =>
      deleteSeen(context, object, (preconditions) => client.delete(credentialKind, key, { preconditions })),
    )
    const isGone = (current: Credential | undefined) => current?.metadata.uid !== uid || isDeleting(current)
    await credentials.until(key, isGone, { timeoutMs: SEEN_WITHIN_MS })
    return messageAnswer(context, done.credentialDeleted)
  })

  return app
}

function isDeleting(credential: Credential): boolean {
  return credential.metadata.deletionTimestamp !== undefined
}
