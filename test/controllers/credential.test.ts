/** The controller of Credentials, killed at each of its writes; what it does when it lives is in test/credential. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { credentialKind } from '../../crds/credential.ts'
import { finalizers } from '../../crds/names.ts'
import { vmKind } from '../../crds/vm.ts'
import { namespaceType, secretType } from '../../kube/builtin-types.ts'
import { isNotFound } from '../../kube/kube-error.ts'
import { dieAtEachWrite } from './dying.ts'
import { conditionOf, type Workbench, workbench } from './workbench.ts'

let bench: Workbench

beforeAll(async () => {
  bench = await workbench()
})
afterAll(() => bench?.[Symbol.asyncDispose]())

const at = (namespace: string) => ({ namespace, name: 'main' })

async function make(namespace: string): Promise<void> {
  const { administrator } = bench
  await administrator.create(namespaceType, { metadata: { name: namespace } })
  const stringData = { access_key: `key-${namespace}`, secret_key: 'hunter2' }
  await administrator.create(secretType, { metadata: at(namespace), stringData })
  const spec = { provider: 'sim', region: 'sim-1', source: 'Secret', secretRef: { name: 'main' } } as const
  await administrator.create(credentialKind, { metadata: at(namespace), spec })
}

describe('a controller of Credentials that dies', () => {
  it('at any write on the way to Ready leaves nothing that the next one does not finish', async () => {
    const { scopes, survivor } = await dieAtEachWrite(bench, {
      prefix: 'accepted',
      begin: make,
      async finished(namespace) {
        await bench.untilReady(credentialKind, at(namespace), 'Accepted')
        const secret = await bench.administrator.get(secretType, at(namespace))
        expect(secret.metadata.finalizers).toEqual([finalizers.credential])
      },
    })
    await survivor.stop()

    expect(scopes.length).toBeGreaterThanOrEqual(2 * 4) // finalizer, the Secret's, the facade's grant, status
  })

  it('at any write of a deletion keeps the key until no VM needs it, and nothing afterwards', async () => {
    const { administrator } = bench
    const { scopes, survivor } = await dieAtEachWrite(bench, {
      prefix: 'let-go',
      async begin(namespace) {
        await make(namespace)
        await administrator.create(vmKind, {
          metadata: { namespace, name: 'web-1' },
          spec: { provider: 'sim', credentialRef: { name: 'main' }, instanceType: 'small', image: 'linux' } as never,
        })
        await administrator.patch(
          credentialKind,
          at(namespace),
          { metadata: { finalizers: [finalizers.credential] } },
          { kind: 'merge' },
        )
        await administrator.delete(credentialKind, at(namespace))
      },
      async finished(namespace) {
        const left = await bench.until(
          credentialKind,
          at(namespace),
          (one) => one === undefined || conditionOf(one, 'InUse') !== undefined,
        )
        if (left) {
          expect(conditionOf(left, 'InUse')?.message).toContain('web-1')
          await administrator.delete(vmKind, { namespace, name: 'web-1' }).catch((error: unknown) => {
            if (!isNotFound(error)) throw error // the one that died had come as far as that
          })
          await bench.until(credentialKind, at(namespace), (one) => one === undefined)
        }
        const secret = await administrator.get(secretType, at(namespace))
        expect(secret.metadata.finalizers ?? []).toEqual([])
      },
    })
    await survivor.stop()

    expect(scopes.length).toBeGreaterThanOrEqual(2 * 3) // the Secret's finalizer, InUse, and both finalizers again
  })
})
