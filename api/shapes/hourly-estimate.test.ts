import { describe, expect, it } from 'vitest'
import { priceCatalogue } from '../../clouds/prices/catalogue.ts'
import { parsePriceLists } from '../../clouds/prices/price-list.ts'
import type { VM } from '../../crds/vm.ts'
import { vmEstimate, vmEstimateMark, workspaceEstimate } from './hourly-estimate.ts'

const prices = () =>
  priceCatalogue({
    shipped: parsePriceLists(
      '{provider: aws, source: list, date: 2026-01-01, currency: USD, types: {m5.large: {us-east-1: 0.1}, m5.xlarge: {us-east-1: 0.2}}}',
      'list',
    ),
  })

function vm({ spec = {}, status = {} }: { spec?: object; status?: object } = {}): VM {
  return {
    metadata: { name: 'web-1' },
    spec: { provider: 'aws', region: 'us-east-1', instanceType: 'm5.large', marketType: 'OnDemand', ...spec },
    status: { state: 'running', ...status },
  } as unknown as VM
}

describe('a VM costs', () => {
  it('the price of its type while it runs or is about to, and nothing once it is stopped or gone', () => {
    const amounts = Object.fromEntries(
      (['pending', 'running', 'starting', 'stopping', 'stopped', 'terminated', 'error'] as const).map((state) => [
        state,
        vmEstimate(vm({ status: { state } }), prices())?.amount,
      ]),
    )
    expect(amounts).toEqual({
      pending: 0.1,
      running: 0.1,
      starting: 0.1,
      stopping: 0.1,
      stopped: 0,
      terminated: 0,
      error: 0,
    })
  })

  it('the price of the type that it has, not of the one that it is to have', () => {
    const resizing = vm({ spec: { instanceType: 'm5.xlarge' }, status: { instanceType: 'm5.large' } })
    expect(vmEstimate(resizing, prices())).toEqual({
      amount: 0.1,
      currency: 'USD',
      price_source: 'list',
      priced_at: '2026-01-01T00:00:00Z',
    })
  })

  it('what is not known, when its type has no price or the market makes it', () => {
    expect(vmEstimate(vm({ spec: { instanceType: 'odd' } }), prices())).toBeNull()
    expect(vmEstimate(vm({ spec: { marketType: 'Spot' } }), prices())).toBeNull()
    expect(vmEstimate(vm({ spec: { region: undefined } }), prices())).toBeNull()
  })
})

it('a workspace costs the sum of its VMs, and says how many are not in it', () => {
  const vms = [vm(), vm(), vm({ status: { state: 'stopped' } }), vm({ spec: { marketType: 'Spot' } })]
  expect(workspaceEstimate(vms, prices())).toEqual({ amount: 0.2, currency: 'USD', unpriced_vms: 1 })
  expect(workspaceEstimate([], prices())).toEqual({ amount: 0, currency: 'USD', unpriced_vms: 0 })
})

it('a price that is learned later changes the estimates and their marks', () => {
  const known = prices()
  const vms = [vm()]
  expect([vmEstimateMark(vm(), known), workspaceEstimate(vms, known).amount]).toEqual(['', 0.1])
  known.learn(
    { provider: 'aws', region: 'us-east-1', instanceType: 'm5.large' },
    { amount: '0.3', currency: 'USD', source: 'the cloud', pricedAt: '2026-06-01T00:00:00Z' },
  )
  expect(workspaceEstimate(vms, known).amount).toBe(0.3)
  expect(vmEstimateMark(vm(), known)).toBe('0.3/2026-06-01T00:00:00Z')
})
