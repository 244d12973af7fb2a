import { expect, it } from 'vitest'
import type { Credential } from '../../crds/credential.ts'
import { KubeError } from '../../kube/kube-error.ts'
import { credentialIdentity } from './credential-identity.ts'

const MADE = Date.parse('2026-01-01T00:00:00Z')
const forbidden = () => new KubeError('secrets "aws-main" is forbidden', { status: 403, reason: 'Forbidden' })

function credential(spec: object = { source: 'Secret', secretRef: { name: 'aws-main' } }): Credential {
  const metadata = { namespace: 'team-a', name: 'main', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
  return { metadata, spec } as unknown as Credential
}

/** A cluster that refuses so often before it lets the Secret be read. */
function reading(refusals: number, now = MADE) {
  let reads = 0
  const client = {
    async get() {
      reads += 1
      if (reads <= refusals) throw forbidden()
      return { data: { access_key: Buffer.from('AKID').toString('base64') } } as never
    },
  }
  const identityOf = credentialIdentity({ client: client as never, now: () => now })
  return { identity: (one = credential()) => identityOf(one, new AbortController().signal), reads: () => reads }
}

it('reads the Secret that the Credential names', async () => {
  expect(await reading(0).identity()).toEqual({ secret: { access_key: 'AKID' } })
})

it('waits for the controller to let it read the Secret of a Credential that was just made', async () => {
  const { identity, reads } = reading(2)
  expect(await identity()).toEqual({ secret: { access_key: 'AKID' } })
  expect(reads()).toBe(3)
})

it('says at once that it may not read that of an older one', async () => {
  const { identity, reads } = reading(2, MADE + 61_000)
  await expect(identity()).rejects.toMatchObject({ code: 'BAD_GATEWAY', message: expect.stringContaining('main') })
  expect(reads()).toBe(1)
})

it('says of an ambient Credential that it cannot be used here, and what to do', async () => {
  const { identity, reads } = reading(0)
  await expect(identity(credential({ source: 'Ambient' }))).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('credential_id'),
  })
  expect(reads()).toBe(0)
})
