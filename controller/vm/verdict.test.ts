import { describe, expect, it } from 'vitest'
import { givenInstance, now, settledVM } from './given.ts'
import { stalled, statusOf } from './verdict.ts'

describe('the status of a VM', () => {
  it('keeps what was known of an instance of which the cloud only says that it is gone', () => {
    const vm = settledVM()
    const gone = givenInstance(vm, { state: 'terminated', instanceType: '', zone: '', launchTime: '', publicIP: '' })

    expect(statusOf(vm, stalled('InstanceGone', 'It is gone.'), gone, now)).toMatchObject({
      state: 'terminated',
      instanceType: 't3.micro',
      zone: 'sim-1a',
      launchTime: vm.status?.launchTime,
      publicIP: '',
    })
  })
})
