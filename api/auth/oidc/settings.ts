/**
 * The variables of one OIDC provider, `SKYCLUST_OIDC_<NAME>_…`; any number of names.
 *
 * Groups are taken from a provider only where the operator lists them: the facade may impersonate them towards Kubernetes, so
 * whoever runs the provider would otherwise name themselves into any group of the cluster.
 */
import { z } from 'zod'
import { setting, settingFamily } from '../../../config/settings.ts'
import { oneOf, text } from '../../../config/value-schemas.ts'

export interface OidcSettings {
  /** As the provider writes it in its tokens, a slash at the end included. */
  readonly issuer: string
  readonly clientId: string
  /** "" for a public client: PKCE alone. */
  readonly clientSecret: string
  readonly redirectUri: string
  readonly scopes: string
  /** The groups that this provider may name. */
  readonly groups: readonly string[]
  readonly groupsClaim: string
  /** Whether the first login of an unknown identity makes a user. */
  readonly registration: 'open' | 'closed' | 'as-registration'
}

const httpUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'is no http or https URL, such as https://login.example.com',
  )

const redirectUri = httpUrl.refine(
  (value) => !URL.canParse(value) || (new URL(value).search === '' && new URL(value).hash === ''),
  'has a query or a fragment; code and state are put there',
)

const scopes = z
  .string()
  .transform((value) => value.split(/[\s,]+/).filter(Boolean))
  .refine((list) => list.includes('openid'), 'lacks openid, without which there is no ID token')
  .transform((list) => [...new Set(list)].join(' '))

const groups = z
  .string()
  .transform((value) => value.split(',').map((group) => group.trim()))
  .transform((list) => [...new Set(list.filter(Boolean))] as readonly string[])
  .refine((list) => list.length <= 100, 'names more than 100 groups')
  .refine(
    (list) => list.every((group) => group.length <= 253 && !/^(?:system|skyclust):/.test(group)),
    'names a group that begins with system: or skyclust:, or is longer than 253 characters',
  )

export const oidcSettings = settingFamily('SKYCLUST_OIDC_', {
  issuer: setting('_ISSUER', { schema: httpUrl, help: 'The issuer of the provider, as it stands in its tokens.' }),
  clientId: setting('_CLIENT_ID', { schema: text, help: 'Who we are to the provider.' }),
  clientSecret: setting('_CLIENT_SECRET', {
    schema: text,
    default: '',
    help: 'Its secret; none for a public client.',
    secret: true,
  }),
  redirectUri: setting('_REDIRECT_URI', {
    schema: redirectUri,
    help: 'Where the provider sends the browser: the page that posts code and state to /api/v1/oidc/<name>/callback.',
  }),
  scopes: setting('_SCOPES', { schema: scopes, default: 'openid email profile', help: 'What is asked for.' }),
  groups: setting('_GROUPS', {
    schema: groups,
    default: '',
    help: 'The groups that are taken from this provider, comma-separated; they count where a Workspace names them.',
  }),
  groupsClaim: setting('_GROUPS_CLAIM', { schema: text, default: 'groups', help: 'The claim that lists groups.' }),
  registration: setting('_REGISTRATION', {
    schema: oneOf('open', 'closed', 'as-registration'),
    default: 'as-registration',
    help: 'Whether the first login makes a user; as-registration does as SKYCLUST_REGISTRATION says.',
  }),
})
