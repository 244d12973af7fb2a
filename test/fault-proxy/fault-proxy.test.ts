import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { faultProxy } from './fault-proxy.ts'

/** A server that counts and says what it got; `/long` gives 100,000 bytes, `/endless` a byte a time. */
async function server() {
  let asked = 0
  const http = createServer(async (request, response) => {
    asked += 1
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.url === '/long') return void response.end('x'.repeat(100_000))
    if (request.url === '/endless') return void response.write('first\n')
    response.setHeader('x-method', request.method ?? '').end(`${request.url} ${body}`)
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}`),
    get asked() {
      return asked
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
}

const all = () => true

describe('faultProxy', () => {
  it('passes on what it is not told to break, and keeps a record', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })

    const answer = await fetch(new URL('/a?b=c', proxy.url), { method: 'PUT', body: 'text' })

    expect(await answer.text()).toBe('/a?b=c text')
    expect(answer.headers.get('x-method')).toBe('PUT')
    expect(proxy.requests).toMatchObject([{ method: 'PUT', path: '/a', body: 'text', status: 200 }])
  })

  it('answers in the stead of the server as often as it is told, after as many as it is told', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })
    const fault = proxy.inject(all, { answer: 429, headers: { 'retry-after': '1' } }, { times: 1, skip: 1 })

    const statuses: number[] = []
    for (let call = 0; call < 3; call++) statuses.push((await fetch(proxy.url)).status)

    expect(statuses).toEqual([200, 429, 200])
    expect(fault.hits).toBe(1)
    expect(upstream.asked).toBe(2)
  })

  it('resets before the server is asked, after it answered, and in the middle of an answer', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })

    const before = proxy.inject(all, { reset: 'before' })
    await expect(fetch(proxy.url)).rejects.toThrow('fetch failed')
    expect(upstream.asked).toBe(0)
    before.remove()

    const after = proxy.inject(all, { reset: 'after' })
    await expect(fetch(proxy.url)).rejects.toThrow('fetch failed')
    expect(upstream.asked).toBe(1)
    after.remove()

    proxy.inject(all, { reset: 50_000 })
    const answer = await fetch(new URL('/long', proxy.url))
    expect(answer.status).toBe(200)
    await expect(answer.text()).rejects.toThrow('terminated')
  })

  it('falls silent without closing', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })
    proxy.inject(all, { silentAfter: 10 })

    const answer = await fetch(new URL('/long', proxy.url))
    const reader = answer.body?.getReader()
    let got = 0
    while (got < 10) got += (await reader?.read())?.value?.length ?? 0
    const silent = Symbol('silent')
    const next = await Promise.race([reader?.read(), new Promise((resolve) => setTimeout(resolve, 200, silent))])

    expect(got).toBe(10)
    expect(next).toBe(silent)
    expect(proxy.connections).toBe(1)
  })

  it('lets nothing through while frozen, and everything after', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })
    proxy.freeze()

    const answer = fetch(proxy.url)
    await proxy.arrived(all)
    expect(upstream.asked).toBe(0)
    proxy.thaw()

    expect((await answer).status).toBe(200)
  })

  it('is not there while down, and back on the same port', async () => {
    await using upstream = await server()
    await using proxy = await faultProxy({ upstream: upstream.url })
    const held = await fetch(new URL('/endless', proxy.url))

    await proxy.down()
    await expect(held.text()).rejects.toThrow('terminated')
    await expect(fetch(proxy.url)).rejects.toThrow('fetch failed')
    await proxy.up()

    expect((await fetch(proxy.url)).status).toBe(200)
  })

  it('lets the server know when a client leaves', async () => {
    const http = createServer((_request, response) => response.flushHeaders()).listen(0, '127.0.0.1')
    await once(http, 'listening')
    const left = new Promise((resolve) => http.on('connection', (socket) => socket.once('close', resolve)))
    await using proxy = await faultProxy({
      upstream: new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}`),
    })

    const client = new AbortController()
    await fetch(proxy.url, { signal: client.signal })
    client.abort()

    await left
    http.close()
  })
})
