import { expect, it } from 'vitest'
import { CLIENT_ID, type startIdentityProvider, visit } from '../../api/oidc/identity-provider.ts'
import { anId, aText, aTime, failure } from '../forms.ts'
import { rest } from '../rest.ts'
import type { Subject } from '../subject.ts'

export const OIDC_REDIRECT_URI = 'http://127.0.0.1:9/login/callback'

type IdentityProvider = Awaited<ReturnType<typeof startIdentityProvider>>

/** For an installation that knows `provider` as `corp`. */
export function oidcVariables({ issuer }: Pick<IdentityProvider, 'issuer'>, secret: string): Record<string, string> {
  return {
    SKYCLUST_OIDC_CORP_ISSUER: issuer,
    SKYCLUST_OIDC_CORP_CLIENT_ID: CLIENT_ID,
    SKYCLUST_OIDC_CORP_CLIENT_SECRET: secret,
    SKYCLUST_OIDC_CORP_REDIRECT_URI: OIDC_REDIRECT_URI,
    SKYCLUST_OIDC_CORP_GROUPS: 'platform',
  }
}

export function oidcRows(installation: () => Subject, provider: () => IdentityProvider): void {
  const anonymous = () => rest(installation().url)

  it('GET oidc/:provider/auth → 200 {auth_url, state}', async () => {
    const answer = await anonymous().get('/api/v1/oidc/corp/auth')

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ success: true, data: { auth_url: aText, state: aText } })
    expect(new URL(answer.body.data.auth_url).searchParams.get('state')).toBe(answer.body.data.state)
    expect((await anonymous().get('/api/v1/oidc/nobody/auth')).body).toEqual(failure('NOT_FOUND'))
  })

  it('POST oidc/:provider/callback {code, state} → 200 {token, user: {id, email, name}}', async () => {
    const subject = crypto.randomUUID()
    provider().logsInAs = { subject, email: `${subject}@example.com`, name: 'Ada', groups: ['platform'] }
    const begun = await anonymous().get('/api/v1/oidc/corp/auth')
    const brought = Object.fromEntries(await visit(begun.body.data.auth_url, OIDC_REDIRECT_URI))
    const answer = await anonymous().post('/api/v1/oidc/corp/callback', { body: brought })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      success: true,
      data: {
        token: aText,
        expires_at: aTime,
        user: { id: anId, email: `${subject}@example.com`, name: 'Ada' },
      },
    })
    const replayed = await anonymous().post('/api/v1/oidc/corp/callback', { body: brought })
    expect(replayed.status).toBe(401)
    expect(replayed.body).toEqual(failure('UNAUTHORIZED'))
  })

  it('a group of the provider that a Workspace names gives its role there', async () => {
    const { cluster, url } = installation()
    const workspace = {
      apiVersion: 'skyclust.io/v1alpha1',
      kind: 'Workspace',
      metadata: { name: 'platform-team' },
      spec: { owner: 'nobody', groups: [{ group: 'platform', role: 'viewer' }] },
    }
    await cluster.kubectlWith(JSON.stringify(workspace), 'apply', '-f', '-')
    const subject = crypto.randomUUID()
    provider().logsInAs = { subject, email: `${subject}@example.com`, name: 'Ada', groups: ['platform', 'others'] }
    const begun = await anonymous().get('/api/v1/oidc/corp/auth')
    const brought = Object.fromEntries(await visit(begun.body.data.auth_url, OIDC_REDIRECT_URI))
    const { token } = (await anonymous().post('/api/v1/oidc/corp/callback', { body: brought })).body.data
    const ada = rest(url, { authorization: `Bearer ${token}` })

    const listed = await ada.get('/api/v1/workspaces')
    expect(listed.body.data.map(({ name }: { name: string }) => name)).toEqual(['platform-team'])
    const path = `/api/v1/workspaces/${listed.body.data[0].id}`
    expect((await ada.put(path, { body: { name: 'Mine' } })).status).toBe(403)
  })
}
