/** The floor: a Hono route that answers the bytes it was given, and does nothing else. Prints its URL. */
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'

const bodies = JSON.parse(readFileSync(process.env.BODIES ?? '', 'utf8')) as Record<string, string>
const app = new Hono()
app.get('/bytes/:name', (context) =>
  context.body(bodies[context.req.param('name')] ?? '', 200, { 'content-type': 'application/json; charset=utf-8' }),
)
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => {
  console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
})
