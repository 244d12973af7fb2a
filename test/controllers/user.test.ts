import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { kubernetesUser, usersGroup } from '../../crds/names.ts'
import { type User, userKind } from '../../crds/user.ts'
import { vmKind } from '../../crds/vm.ts'
import { clusterRoleBindingType } from '../../kube/builtin-types.ts'
import { comesTo } from '../rbac/acting.ts'
import { type Controllers, readyOf, type Workbench, workbench } from './workbench.ts'

let bench: Workbench
let controllers: Controllers

beforeAll(async () => {
  bench = await workbench()
})
afterAll(() => bench?.[Symbol.asyncDispose]())
beforeEach(async () => {
  controllers = await bench.start()
})
afterEach(() => controllers.stop())

const make = (name: string, spec: Partial<User['spec']> = {}) =>
  bench.administrator.create(userKind, { metadata: { name }, spec: { email: `${name}@example.com`, ...spec } })
const change = (name: string, spec: object) =>
  bench.administrator.patch(userKind, { name }, { spec }, { kind: 'merge' })
const ready = (name: string, reason = 'Active') => bench.untilReady(userKind, { name }, reason)
/** What only an administrator of the installation may do. */
const listEverything = (name: string) =>
  bench.administrator.as({ username: kubernetesUser(name), groups: [usersGroup] }).list(vmKind)

describe('a User', () => {
  it('is ready, and may do nothing by itself', async () => {
    await make('ann')
    expect(readyOf(await ready('ann'))).toMatchObject({ status: 'True', observedGeneration: 1 })
    await comesTo(/cannot list/, () => listEverything('ann'))
  })

  it('is an administrator of the installation while the spec says so and it is not disabled', async () => {
    await make('root', { admin: true })
    await ready('root')
    await comesTo(/^allowed$/, () => listEverything('root'))

    await change('root', { disabled: true })
    await ready('root', 'Disabled')
    await comesTo(/cannot list/, () => listEverything('root'))

    await change('root', { disabled: false })
    await comesTo(/^allowed$/, () => listEverything('root'))

    await change('root', { admin: false })
    await comesTo(/cannot list/, () => listEverything('root'))
  })

  it('that is deleted takes its administrator’s rights with it', async () => {
    await make('boss', { admin: true })
    await ready('boss')
    await bench.administrator.delete(userKind, { name: 'boss' })
    await bench.until(
      clusterRoleBindingType,
      { name: 'skyclust-platform-admin-boss' },
      (binding) => binding === undefined,
    )
  })

  it('whose binding a cluster administrator took away is not given it again', async () => {
    await make('chief', { admin: true })
    await ready('chief')
    await controllers.idle() // or what is still under way gives it once more
    await bench.administrator.delete(clusterRoleBindingType, { name: 'skyclust-platform-admin-chief' })
    await controllers.stop()
    controllers = await bench.start()
    await controllers.idle()
    await comesTo(/cannot list/, () => listEverything('chief'))
  })
})

describe('an e-mail address that two claim', () => {
  it('is the older one’s, whatever its case, and the younger’s when the older lets go of it', async () => {
    await make('older', { email: 'Same@example.com' })
    await ready('older')
    await make('younger', { email: 'same@Example.com', admin: true })

    const refused = await ready('younger', 'EmailTaken')
    expect(readyOf(refused)).toMatchObject({
      status: 'False',
      message: expect.stringContaining('the older User older'),
    })
    expect(readyOf(await bench.administrator.get(userKind, { name: 'older' }))?.status).toBe('True')
    await comesTo(/cannot list/, () => listEverything('younger'))

    await change('older', { email: 'other@example.com' })
    await ready('younger')
    await comesTo(/^allowed$/, () => listEverything('younger'))
  })

  it('is the younger’s when the older is deleted', async () => {
    await make('first', { email: 'one@example.com' })
    await ready('first')
    await make('second', { email: 'one@example.com' })
    await ready('second', 'EmailTaken')

    await bench.administrator.delete(userKind, { name: 'first' })
    await ready('second')
  })
})

it('writes nothing once everything is as it should be, also after a new start', async () => {
  await make('quiet', { admin: true })
  await ready('quiet')
  await controllers.stop()

  controllers = await bench.start()
  await controllers.idle()

  expect(controllers.writes).toEqual([])
})
