/**
 * The contract, row by row, against a `make dev`: each test reads like its row.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { CLIENT_SECRET, type IdentityProvider, startIdentityProvider } from '../api/oidc/identity-provider.ts'
import { startDevSubject } from './dev-subject.ts'
import { authRows } from './rows/auth.ts'
import { conventionRows, languageRows } from './rows/conventions.ts'
import { credentialRows } from './rows/credentials.ts'
import { iacRows } from './rows/iac.ts'
import { OIDC_REDIRECT_URI, oidcRows, oidcVariables } from './rows/oidc.ts'
import { costEstimateRows, providerRows } from './rows/providers.ts'
import { auditRows, systemRows } from './rows/system.ts'
import { userRows } from './rows/users.ts'
import { vmRows } from './rows/vms.ts'
import { workspaceRows } from './rows/workspaces.ts'
import type { Subject } from './subject.ts'

let started: Subject & AsyncDisposable
let provider: IdentityProvider
const installation = () => started

beforeAll(async () => {
  provider = await startIdentityProvider({ redirectUri: OIDC_REDIRECT_URI })
  started = await startDevSubject(oidcVariables(provider, CLIENT_SECRET))
})
afterAll(async () => {
  await Promise.all([started, provider].map((one) => one?.[Symbol.asyncDispose]()))
})

describe('Auth', () => authRows(installation))
describe('Users', () => userRows(installation))
describe('Workspaces', () => workspaceRows(installation))
describe('Credentials', () => credentialRows(installation))
describe('VMs', () => vmRows(installation))
describe('IaC', () => iacRows(installation))
describe('Providers', () => providerRows(installation))
describe('Cost estimates', () => costEstimateRows(installation))
describe('OIDC', () => oidcRows(installation, () => provider))
describe('System', () => systemRows(installation))
describe('Audit', () => auditRows(installation))
describe('Messages', () => languageRows(installation))
describe('Where the page is silent', () => conventionRows(installation))
