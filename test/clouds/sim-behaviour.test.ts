import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { Cloud } from '../../clouds/cloud.ts'
import { providers } from '../../clouds/providers.ts'
import { type Program, startProgram } from '../cluster/program.ts'
import { behavesAsACloud } from './cloud-behaviour.ts'

describe('sim, over HTTP', () => {
  let program: Program | undefined
  let cloud: Cloud | undefined

  beforeAll(async () => {
    program = startProgram({ main: 'clouds/sim/main.ts' })
    const { url } = await program.logged(({ url }) => url !== undefined)
    const quick = JSON.stringify({ pendingMs: 200, stoppingMs: 200, terminatingMs: 200 })
    expect(await fetch(new URL('/control', String(url)), { method: 'PATCH', body: quick })).toMatchObject({
      status: 200,
    })
    const sim = providers({ enabled: ['sim'], simUrl: String(url) }).named('SIM')
    cloud = sim?.connect({ secret: { access_key: 'any', secret_key: 'any' } }, 'sim-1')
  })
  afterAll(async () => {
    const exit = await program?.stop()
    expect(exit).toMatchObject({ code: 0 })
  })

  behavesAsACloud({
    cloud: () => cloud ?? expect.fail('not started'),
    spec: { instanceType: 't3.micro', image: 'ami-0abcdef1234567890', marketType: 'OnDemand' },
    otherType: 't3.large',
    regionName: { name: 'sim-2', displayName: 'Simulation 2' },
    account: /^\d{12}$/,
    unknownId: 'i-00000000000000000',
    refused: [
      ['an image', { image: 'bad-image' }, /^InvalidAMIID\./],
      ['a subnet', { subnetId: 'bad-subnet' }, /^InvalidSubnetI[Dd]\.NotFound$/],
      ['a security group', { securityGroupIds: ['bad-group'] }, /^InvalidGroup\.NotFound$/],
      ['a zone', { zone: 'nowhere-1a' }, /^InvalidParameterValue$/],
      ['a key pair', { sshKeyName: 'bad-key' }, /^InvalidKeyPair\.NotFound$/],
    ],
    facts: { honoursTokens: true, comparesSpecs: true, listsTerminated: true, checksStates: true },
  })
})
