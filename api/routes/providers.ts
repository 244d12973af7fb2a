/** Providers, and what the clouds themselves have. */
import { createRoute, z } from '@hono/zod-openapi'
import type { Provider } from '../../clouds/provider.ts'
import type { Credential } from '../../crds/credential.ts'
import type { Caller } from '../auth/caller.ts'
import type { Facade } from '../facade.ts'
import { notFound } from '../http/api-error.ts'
import { callerGone, callerIn } from '../http/call.ts'
import { type ApiApp, apiApp, data, failures, list, serve } from '../http/define-route.ts'
import { dataAnswer, listAnswer } from '../http/envelope.ts'
import { pageOf, pageQuery } from '../http/pagination.ts'
import { pathName, reference } from '../http/schemas.ts'
import { instanceData, instanceSchema } from '../shapes/instance.ts'

const tags = ['Providers']
const params = z.object({ name: pathName('aws').openapi({ description: 'Without regard to case.' }) })
const providerSchema = z.object({ name: z.string(), version: z.string() }).openapi('Provider')
const regionSchema = z.object({ name: z.string(), display_name: z.string() }).openapi('Region')
const whoseInstances = {
  region: z.string().max(63).optional().openapi({ description: "By default each Credential's own." }),
  workspace_id: reference.optional(),
  credential_id: reference.optional(),
}

const listProviders = createRoute({
  tags,
  method: 'get',
  path: '/providers',
  summary: 'The providers that are on',
  responses: { 200: data('The providers.', z.object({ providers: z.array(providerSchema) })), ...failures },
})

const getProvider = createRoute({
  tags,
  method: 'get',
  path: '/providers/{name}',
  summary: 'A provider',
  request: { params },
  responses: { 200: data('The provider.', providerSchema), ...failures },
})

const listInstances = createRoute({
  tags,
  method: 'get',
  path: '/providers/{name}/instances',
  summary: 'What the cloud itself has, whoever made it',
  description: "Asked with the caller's Credentials for that provider; with none, the list is empty.",
  request: { params, query: z.strictObject({ ...whoseInstances, ...pageQuery }) },
  responses: { 200: list('Oldest first.', instanceSchema), ...failures },
})

const getInstance = createRoute({
  tags,
  method: 'get',
  path: '/providers/{name}/instances/{instanceID}',
  summary: 'One of those',
  request: {
    params: params.extend({ instanceID: pathName('i-0123456789abcdef0') }),
    query: z.strictObject(whoseInstances),
  },
  responses: { 200: data('The instance.', instanceSchema), ...failures },
})

const listRegions = createRoute({
  tags,
  method: 'get',
  path: '/providers/{name}/regions',
  summary: 'The regions of a provider; needs no cloud account',
  request: { params, query: z.strictObject(pageQuery) },
  responses: { 200: list('The regions.', regionSchema), ...failures },
})

export function providerRoutes({ store, access, clouds }: Pick<Facade, 'store' | 'access' | 'clouds'>): ApiApp {
  const app = apiApp()

  function named(name: string): Provider {
    const provider = clouds.providers.named(name)
    if (provider === undefined) throw notFound()
    return provider
  }

  /** Those that the query names, or all in workspaces of the caller. */
  async function credentialsFor(
    caller: Caller,
    provider: Provider,
    query: { readonly workspace_id?: string | undefined; readonly credential_id?: string | undefined },
  ): Promise<readonly Credential[]> {
    const { workspace_id, credential_id } = query
    const workspace =
      workspace_id === undefined ? undefined : await access.workspace(caller, workspace_id, 'instances.read')
    if (credential_id !== undefined) {
      const held = await access.credential(caller, credential_id, 'instances.read')
      const isInWorkspace = workspace === undefined || workspace.metadata.uid === held.workspace.metadata.uid
      if (!isInWorkspace || held.object.spec.provider !== provider.name) throw notFound()
      return [held.object]
    }
    const workspaces = workspace === undefined ? store.workspacesOf(caller) : [workspace]
    return store.credentialsOf(workspaces, provider.name)
  }

  serve(app, listProviders, (context) => dataAnswer(context, { providers: clouds.providers.all.map(shown) }))

  serve(app, getProvider, (context) => dataAnswer(context, shown(named(context.req.param('name')))))

  serve(app, listInstances, async (context) => {
    const provider = named(context.req.param('name'))
    const query = context.req.valid('query')
    const credentials = await credentialsFor(callerIn(context), provider, query)
    const all = await clouds.instances({ provider, credentials, region: query.region, signal: callerGone(context) })
    const { items, total } = pageOf(all, query)
    const texts = items.map((instance) => JSON.stringify(instanceData(instance)))
    return listAnswer<z.output<typeof instanceSchema>>(context, { items: texts, total })
  })

  serve(app, getInstance, async (context) => {
    const provider = named(context.req.param('name'))
    const query = context.req.valid('query')
    const credentials = await credentialsFor(callerIn(context), provider, query)
    const where = { provider, credentials, region: query.region, signal: callerGone(context) }
    const instance = await clouds.instance(where, context.req.param('instanceID'))
    if (instance === undefined) throw notFound()
    return dataAnswer(context, instanceData(instance))
  })

  serve(app, listRegions, (context) => {
    const { regions } = named(context.req.param('name'))
    const { items, total } = pageOf(regions, context.req.valid('query'))
    const texts = items.map(({ name, displayName }) => JSON.stringify({ name, display_name: displayName }))
    return listAnswer<z.output<typeof regionSchema>>(context, { items: texts, total })
  })

  return app
}

function shown({ displayName, version }: Provider): z.output<typeof providerSchema> {
  return { name: displayName, version }
}
