/** What the facade can be told, beside what both processes share. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { type SettingValues, setting } from '../config/settings.ts'
import { sharedSettings } from '../config/shared-settings.ts'
import { duration, flag, oneOf, port, text, wholeNumber } from '../config/value-schemas.ts'
import { tracingSettings } from '../tracing/settings.ts'
import { oidcSettings } from './auth/oidc/settings.ts'
import { locales } from './language/negotiation.ts'

const ranges = z
  .string()
  .transform((value) => value.split(',').map((part) => part.trim()))
  .refine(
    (parts) => parts.every(isRange),
    'is no comma-separated list of addresses and CIDR ranges, such as 10.0.0.0/8',
  )

const emailAddress = z.email('is no e-mail address')

export const apiSettings = {
  ...sharedSettings,
  host: setting('SKYCLUST_API_HOST', { schema: text, default: '127.0.0.1', help: 'Address to listen on.' }),
  port: setting('SKYCLUST_API_PORT', {
    schema: port,
    default: '8080',
    help: 'Port to listen on; 0 picks one and logs it.',
  }),
  metricsHost: setting('SKYCLUST_METRICS_HOST', {
    schema: text,
    default: '127.0.0.1',
    help: 'Address for /metrics, /healthz and /readyz.',
  }),
  metricsPort: setting('SKYCLUST_METRICS_PORT', {
    schema: port,
    default: '8082',
    help: 'Port for /metrics, /healthz and /readyz; 0 picks one and logs it.',
  }),
  locale: setting('SKYCLUST_LOCALE', {
    schema: oneOf(...locales),
    default: 'ko',
    help: 'Language of messages for those who do not ask for one: ko or en.',
  }),
  registration: setting('SKYCLUST_REGISTRATION', {
    schema: oneOf('open', 'closed'),
    default: 'open',
    help: 'Whether anybody may register (open), or only administrators make users (closed).',
  }),
  tokenTtl: setting('SKYCLUST_TOKEN_TTL', {
    schema: duration({ min: '1m', max: '30d' }),
    default: '24h',
    help: 'How long a login lasts.',
  }),
  signingKeyRotation: setting('SKYCLUST_SIGNING_KEY_ROTATION', {
    schema: duration({ min: '1h', max: '365d' }),
    default: '30d',
    help: 'How long a key signs tokens before another takes over; nobody is logged out.',
  }),
  adminEmail: setting('SKYCLUST_ADMIN_EMAIL', {
    schema: emailAddress,
    help: 'The first administrator, made once if there is none.',
  }),
  adminPassword: setting('SKYCLUST_ADMIN_PASSWORD', {
    schema: text.refine((value) => value.length >= 8 && value.length <= 128, 'does not have 8 to 128 characters'),
    help: 'Their password.',
    secret: true,
  }),
  auditLog: setting('SKYCLUST_AUDIT_LOG', {
    schema: text,
    default: 'stdout',
    help: 'Where audit lines go: stdout, or the path of a file.',
  }),
  auditWaits: setting('SKYCLUST_AUDIT_WAIT', {
    schema: flag,
    default: 'false',
    help: 'Whether a change is answered only once its audit line is written.',
  }),
  auditRotateMib: setting('SKYCLUST_AUDIT_ROTATE_MIB', {
    schema: wholeNumber({ min: 0, max: 65_536 }),
    default: '100',
    help: 'Size in MiB from which an audit file is rotated; 0 leaves that to somebody else.',
  }),
  auditKeep: setting('SKYCLUST_AUDIT_KEEP', {
    schema: wholeNumber({ min: 1, max: 100 }),
    default: '5',
    help: 'How many rotated audit files are kept.',
  }),
  userRate: setting('SKYCLUST_USER_RATE', {
    schema: wholeNumber({ min: 1, max: 1_000_000 }),
    default: '50',
    help: 'Requests a second for a user, on each replica.',
  }),
  userBurst: setting('SKYCLUST_USER_BURST', {
    schema: wholeNumber({ min: 1, max: 1_000_000 }),
    default: '200',
    help: 'How many of them at once.',
  }),
  addressRate: setting('SKYCLUST_ADDRESS_RATE', {
    schema: wholeNumber({ min: 1, max: 1_000_000 }),
    default: '20',
    help: 'Requests a second for an address without a token, on each replica.',
  }),
  addressBurst: setting('SKYCLUST_ADDRESS_BURST', {
    schema: wholeNumber({ min: 1, max: 1_000_000 }),
    default: '100',
    help: 'How many of them at once.',
  }),
  trustedProxies: setting('SKYCLUST_TRUSTED_PROXIES', {
    schema: ranges,
    help: 'Addresses and CIDR ranges of proxies whose X-Forwarded-For is believed; none by default.',
  }),
  prices: setting('SKYCLUST_PRICES', {
    schema: text,
    help: "Path of a YAML file with the operator's own prices, which come before all others (docs/prices.md).",
  }),
  priceApi: setting('SKYCLUST_PRICE_API', {
    schema: flag,
    default: 'true',
    help: "Whether a cloud's own price list is asked with a Credential of whoever wants an estimate.",
  }),
  estimatesPerUser: setting('SKYCLUST_ESTIMATES_PER_USER', {
    schema: wholeNumber({ min: 1, max: 100_000 }),
    default: '1000',
    help: 'How many cost estimates a user may keep.',
  }),
  ...tracingSettings,
  oidc: oidcSettings,
}

export type ApiConfig = SettingValues<typeof apiSettings>

function isRange(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/')
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return bits > 0 && rest.length === 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
}
