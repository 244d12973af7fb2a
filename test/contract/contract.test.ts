/**
 * The contract, row by row, against a whole installation: each test reads like its row.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { type Installation, startInstallation } from './installation.ts'
import { authRows } from './rows/auth.ts'
import { iacRows } from './rows/iac.ts'
import { costEstimateRows, providerRows } from './rows/providers.ts'
import { userRows } from './rows/users.ts'
import { workspaceRows } from './rows/workspaces.ts'

let started: Installation
const installation = () => started

beforeAll(async () => {
  started = await startInstallation()
})
afterAll(() => started?.[Symbol.asyncDispose]())

describe('Auth', () => authRows(installation))
describe('Users', () => userRows(installation))
describe('Workspaces', () => workspaceRows(installation))
describe('IaC', () => iacRows(installation))
describe('Providers', () => providerRows(installation))
describe('Cost estimates', () => costEstimateRows(installation))
