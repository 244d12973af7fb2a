import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../kube/manual-clock.ts'
import type { KubeObject } from '../../kube/resource.ts'
import { store } from '../../kube/store.ts'
import { changeLog } from './change-log.ts'
import type { Sink } from './event-stream.ts'
import { type Ending, liveHub, type Scope, type Watcher } from './hub.ts'

interface Vm extends KubeObject {
  readonly state: string
}

/** An installation in memory: the reflector's events are played by hand. */
function installation(options: { capacity?: number; stallMs?: number } = {}) {
  const clock = manualClock()
  const objects = store<Vm>()
  const log = changeLog<Vm>(options.capacity === undefined ? {} : { capacity: options.capacity })
  const serialised: string[] = []
  let version = 1_000
  let stale = false
  const hub = liveHub<Vm>({
    log,
    objects,
    clock,
    now: () => clock.now(),
    isStale: () => stale,
    maxListenersPerUser: 3,
    ...(options.stallMs === undefined ? {} : { stallMs: options.stallMs }),
    present: (vm, workspaceId) => {
      serialised.push(vm.metadata.name)
      return JSON.stringify({ id: vm.metadata.uid, workspace_id: workspaceId, status: vm.state })
    },
  })
  log.heard({ type: 'init' })
  log.heard({ type: 'ready', resourceVersion: String(version) })

  function object(namespace: string, name: string, state: string): Vm {
    version += 1
    const metadata = { namespace, name, uid: `${namespace}/${name}`, resourceVersion: String(version) }
    return { apiVersion: 'v1', kind: 'VM', metadata: { ...metadata, creationTimestamp: '' }, state }
  }

  return {
    hub,
    clock,
    serialised,
    objects,
    becomeStale() {
      stale = true
    },
    apply(namespace: string, name: string, state: string) {
      const event = { type: 'apply', object: object(namespace, name, state) } as const
      for (const change of objects.apply(event.object)) log.changed(change)
      log.heard(event)
    },
    delete(namespace: string, name: string) {
      const event = { type: 'delete', object: object(namespace, name, 'gone') } as const
      for (const change of objects.delete(event.object)) log.changed(change)
      log.heard(event)
    },
    /** What a watch that came back after an outage tells: everything, in the order of names. */
    relist(all: readonly { namespace: string; name: string; state: string }[]) {
      log.heard({ type: 'init' })
      const listed = all.map(({ namespace, name, state }) => object(namespace, name, state))
      for (const one of listed) log.heard({ type: 'apply', object: one })
      for (const change of objects.replaceAll(listed.toReversed())) log.changed(change)
      version += 1
      log.heard({ type: 'ready', resourceVersion: String(version) })
    },
  }
}

type Installation = ReturnType<typeof installation>

/** A client that believes what it is told, and has room for as much as it is given. */
function client(
  installed: Installation,
  { room = Number.POSITIVE_INFINITY, ...watcher }: Partial<Watcher> & { scope: () => Scope | Ending; room?: number },
) {
  const seen = new Map<string, string>()
  const events: string[] = []
  let unread: Uint8Array[] = []
  let lastEventId: string | undefined
  let ended: string | undefined
  let listening: ReturnType<Installation['hub']['open']> | undefined

  function read(): void {
    for (const block of Buffer.concat(unread).toString().split('\n\n').filter(Boolean)) understand(block)
    unread = []
  }

  function understand(block: string): void {
    const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]))
    const event = fields.get('event')
    const data = JSON.parse(fields.get('data') ?? '{}') as Record<string, string>
    if (event) events.push(event)
    if (event === 'reset') seen.clear()
    if (event === 'vm') seen.set(data.id ?? '', `${data.workspace_id} ${data.status}`)
    if (event === 'vm_deleted') seen.delete(data.id ?? '')
    if (event === 'workspace_removed') {
      for (const [id, text] of seen) if (text.startsWith(`${data.workspace_id} `)) seen.delete(id)
    }
    if (event === 'end') ended = data.code ?? ''
    lastEventId = fields.get('id') ?? lastEventId
  }

  function connect(): void {
    const sink: Sink = {
      ready: () => room > 0,
      write: (bytes) => {
        unread.push(bytes)
        room -= bytes.byteLength
      },
      end() {
        listening = undefined
      },
    }
    const complete = {
      user: 'alice',
      session: { name: 's', groups: [] },
      expiresAt: Number.POSITIVE_INFINITY,
      ...watcher,
    }
    const words = (ending: Ending) => JSON.stringify({ code: ending })
    listening = installed.hub.open({ watcher: { words, ...complete }, sink, lastEventId })
  }

  connect()
  return {
    seen: () => {
      read()
      return Object.fromEntries([...seen].sort())
    },
    events: () => {
      read()
      return events
    },
    ended: () => {
      read()
      return ended
    },
    lastEventId: () => {
      read()
      return lastEventId
    },
    /** From now on there is room for so many bytes. */
    giveRoom(bytes: number) {
      room = bytes
      listening?.resume()
    },
    /** Loses what was on its way. */
    cutOff() {
      listening?.close()
      unread = []
    },
    connect,
  }
}

const one: Scope = new Map([['ns-1', 'ws-1']])

describe('liveHub', () => {
  it('tells a new listener everything it may see, then every change', () => {
    const installed = installation()
    installed.apply('ns-1', 'a', 'pending')
    installed.apply('ns-2', 'b', 'pending')
    const alice = client(installed, { scope: () => one })
    installed.apply('ns-1', 'a', 'running')
    installed.apply('ns-1', 'c', 'pending')
    installed.delete('ns-1', 'a')

    expect(alice.events()).toEqual(['reset', 'vm', 'ready', 'vm', 'vm', 'vm_deleted'])
    expect(alice.seen()).toEqual({ 'ns-1/c': 'ws-1 pending' })
  })

  it('serialises a change once, however many listen', () => {
    const installed = installation()
    for (const user of ['a', 'b', 'c', 'd']) client(installed, { user, scope: () => one })
    installed.apply('ns-1', 'vm', 'running')

    expect(installed.serialised).toEqual(['vm'])
  })

  it('tells whoever comes back what it missed and nothing else', () => {
    const installed = installation()
    installed.apply('ns-1', 'a', 'running')
    installed.apply('ns-1', 'b', 'running')
    const alice = client(installed, { scope: () => one })
    installed.apply('ns-1', 'c', 'running')
    alice.events().length = 0
    alice.cutOff()
    installed.delete('ns-1', 'a')
    installed.apply('ns-1', 'b', 'stopped')
    alice.connect()

    expect(alice.events().sort()).toEqual(['ready', 'vm', 'vm_deleted'])
    expect(alice.seen()).toEqual({ 'ns-1/b': 'ws-1 stopped', 'ns-1/c': 'ws-1 running' })
  })

  it('tells everything anew when the gap is longer than its memory, or the id is not one of its own', () => {
    const installed = installation({ capacity: 2 })
    const alice = client(installed, { scope: () => one })
    installed.apply('ns-1', 'a', 'running')
    alice.events().length = 0
    alice.cutOff()
    for (const state of ['stopping', 'stopped', 'starting']) installed.apply('ns-1', 'a', state)
    alice.connect()
    expect(alice.events()).toEqual(['reset', 'vm', 'ready'])

    const sink: string[] = []
    const watcher = {
      user: 'bob',
      session: { name: 's', groups: [] },
      expiresAt: 1e12,
      scope: () => one,
      words: () => '{}',
    }
    for (const lastEventId of ['', '0', '12', 'x.y', '999999999.0123456789abcdef', '-1.0123456789abcdef']) {
      const write = (bytes: Uint8Array) => void sink.push(Buffer.from(bytes).toString())
      const listening = installed.hub.open({ watcher, sink: { ready: () => true, write, end() {} }, lastEventId })
      expect(sink.splice(0).join('')).toContain('event: reset')
      listening.close()
    }
  })

  it('tells everything anew when the workspaces changed meanwhile', () => {
    const installed = installation()
    installed.apply('ns-1', 'a', 'running')
    installed.apply('ns-2', 'b', 'running')
    let scope: Scope = new Map([...one, ['ns-2', 'ws-2']])
    const alice = client(installed, { scope: () => scope })
    alice.seen()
    alice.cutOff()
    scope = one
    alice.connect()

    expect(alice.seen()).toEqual({ 'ns-1/a': 'ws-1 running' })
  })

  it('adds and takes away workspaces as memberships change, and ends for whom nothing is left', () => {
    const installed = installation()
    installed.apply('ns-1', 'a', 'running')
    installed.apply('ns-2', 'b', 'running')
    let scope: Scope | Ending = one
    const alice = client(installed, { scope: () => scope })
    const bob = client(installed, { user: 'bob', scope: () => one })

    scope = new Map([['ns-2', 'ws-2']])
    installed.hub.recheck((watcher) => watcher.user === 'alice')
    installed.apply('ns-1', 'a', 'stopped')
    installed.apply('ns-2', 'b', 'stopped')
    expect(alice.seen()).toEqual({ 'ns-2/b': 'ws-2 stopped' })
    expect(bob.seen()).toEqual({ 'ns-1/a': 'ws-1 stopped' })

    scope = 'notFound'
    installed.hub.recheck(() => true)
    expect(alice.ended()).toBe('notFound')
    expect(bob.ended()).toBeUndefined()
    expect(installed.hub.size).toBe(1)
  })

  it('holds back what a slow reader has no room for, and then tells the last state alone', () => {
    const installed = installation()
    const alice = client(installed, { scope: () => one })
    alice.giveRoom(0)
    for (let change = 0; change < 1_000; change++) installed.apply('ns-1', 'a', `state-${change}`)
    alice.events().length = 0
    alice.giveRoom(Number.POSITIVE_INFINITY)

    expect(alice.events()).toEqual(['vm'])
    expect(alice.seen()).toEqual({ 'ns-1/a': 'ws-1 state-999' })
  })

  it('writes an id only with the last of what is pending', () => {
    const installed = installation()
    for (let name = 0; name < 1_000; name++) installed.apply('ns-1', `vm-${name}`, 'running')
    const alice = client(installed, { scope: () => one, room: 20_000 })
    expect(Object.keys(alice.seen()).length).toBeLessThan(1_000)
    expect(alice.lastEventId()).toBeUndefined()

    alice.giveRoom(Number.POSITIVE_INFINITY)
    expect(Object.keys(alice.seen())).toHaveLength(1_000)
    expect(alice.lastEventId()).toMatch(/^2000\./)
  })

  it('drops a reader that has had no room for half a minute', async () => {
    const installed = installation()
    const alice = client(installed, { scope: () => one })
    const bob = client(installed, { user: 'bob', scope: () => one })
    alice.giveRoom(0)
    installed.apply('ns-1', 'a', 'running')
    installed.clock.advance(29_000)
    expect(installed.hub.size).toBe(2)

    installed.clock.advance(2_000)
    expect(installed.hub.size).toBe(1)
    expect(bob.ended()).toBeUndefined()
  })

  it('sends a heartbeat with the current place to whoever heard nothing for 15 s', () => {
    const installed = installation()
    const alice = client(installed, { scope: () => one })
    const before = alice.lastEventId()
    installed.apply('ns-2', 'b', 'running')
    expect(alice.lastEventId()).toBe(before)

    installed.clock.advance(16_000)
    expect(alice.lastEventId()).not.toBe(before)
    expect(alice.events()).toEqual(['reset', 'ready'])
  })

  it('ends when the token expires, when nobody can know who may see what, and when the hub closes', () => {
    const installed = installation()
    const alice = client(installed, { scope: () => one, expiresAt: 10_000 })
    const bob = client(installed, { user: 'bob', scope: () => one })
    installed.clock.advance(11_000)
    expect(alice.ended()).toBe('expired')
    expect(bob.ended()).toBeUndefined()

    installed.becomeStale()
    installed.clock.advance(1_000)
    expect(bob.ended()).toBe('stale')

    const carol = client(installed, { user: 'carol', scope: () => one })
    installed.hub.close()
    expect(carol.ended()).toBe('draining')
    expect(installed.hub.size).toBe(0)
    expect(installed.clock.pending).toBe(0)
  })

  it('has room for a number of listeners a user', () => {
    const installed = installation()
    const first = client(installed, { scope: () => one })
    client(installed, { scope: () => one })
    client(installed, { scope: () => one })
    expect(installed.hub.room('alice')).toBe('userFull')
    expect(installed.hub.room('bob')).toBe('free')

    first.cutOff()
    expect(installed.hub.room('alice')).toBe('free')
  })

  it('leaves every client with what it may see, whatever happened on the way', () => {
    const namespaces = ['ns-1', 'ns-2', 'ns-3']
    const place = fc.record({ namespace: fc.constantFrom(...namespaces), name: fc.constantFrom('a', 'b', 'c') })
    const state = fc.constantFrom('pending', 'running', 'stopped')
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('apply' as const), place, state }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), place }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('relist' as const), places: fc.array(place, { maxLength: 4 }), state }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('room' as const), bytes: fc.integer({ min: 0, max: 300 }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('scope' as const), visible: fc.subarray(namespaces) }) },
      { weight: 2, arbitrary: fc.constant({ do: 'cut' as const }) },
      { weight: 2, arbitrary: fc.constant({ do: 'connect' as const }) },
      { weight: 2, arbitrary: fc.constant({ do: 'read' as const }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 12 }), (steps, capacity) => {
        const installed = installation({ capacity })
        let scope: Scope = one
        const alice = client(installed, { scope: () => scope })
        let connected = true

        for (const taken of steps) {
          switch (taken.do) {
            case 'apply':
              installed.apply(taken.place.namespace, taken.place.name, taken.state)
              break
            case 'delete':
              installed.delete(taken.place.namespace, taken.place.name)
              break
            case 'relist': {
              const unique = new Map(
                taken.places.map((at) => [`${at.namespace}/${at.name}`, { ...at, state: taken.state }]),
              )
              installed.relist([...unique.values()])
              break
            }
            case 'room':
              alice.giveRoom(taken.bytes)
              break
            case 'scope':
              scope = new Map(taken.visible.map((namespace) => [namespace, namespace.replace('ns', 'ws')]))
              installed.hub.recheck(() => true)
              break
            case 'cut':
              if (connected) alice.cutOff()
              connected = false
              break
            case 'connect':
              if (!connected) alice.connect()
              connected = true
              break
            case 'read':
              alice.seen()
          }
        }
        if (!connected) alice.connect()
        alice.giveRoom(Number.POSITIVE_INFINITY)

        const visible = installed.objects.list().filter(({ metadata }) => scope.has(metadata.namespace ?? ''))
        const expected = visible.map(({ metadata, state: now }) => {
          return [metadata.uid, `${scope.get(metadata.namespace ?? '')} ${now}`]
        })
        expect(alice.seen()).toEqual(Object.fromEntries(expected.sort()))
      }),
      { numRuns: 1_000 },
    )
  })
})
